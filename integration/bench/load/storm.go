package load

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/swindon-go/swindon/integration/bench/wsclient"
)

// Crowd is many clients, each a user of its own with some private keys in one namespace.
type Crowd struct {
	Users, Keys int

	conns []*wsclient.Conn
}

// Arrived tells how long it took until clients had their snapshots.
type Arrived struct {
	Seconds float64
	Spread  Spread // from the start of the storm to a client's snapshot
	Failed  int    // clients that had to try again
}

// tries is how often a client comes before the measure gives up.
const tries = 20

// Arrive has all clients connect at the same time, be attached and wait for their snapshots. With write they bring their
// keys with them. Connections that they had before are given up.
func (c *Crowd) Arrive(address, api string, write bool) (Arrived, error) {
	pool, err := dialAPIs(api, connectors)
	if err != nil {
		return Arrived{}, err
	}
	defer pool.close()
	for _, old := range c.conns {
		_ = old.Close()
	}
	c.conns = make([]*wsclient.Conn, c.Users)
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex // guards the following
		took   []time.Duration
		errs   []error
		failed int
	)
	start := time.Now()
	for i := range c.Users {
		wait.Go(func() {
			var err error
			for try := range tries {
				var conn *wsclient.Conn
				if conn, err = c.arrive(address, pool, i, write); err == nil {
					c.conns[i] = conn
					break
				}
				mu.Lock()
				failed++
				mu.Unlock()
				time.Sleep(time.Duration(try+1) * 50 * time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("client %d: %w", i, err))
				return
			}
			took = append(took, time.Since(start))
		})
	}
	wait.Wait()
	seconds := time.Since(start).Seconds()
	if len(errs) > 0 {
		return Arrived{}, fmt.Errorf("%d clients have no snapshot: %w", len(errs), errors.Join(errs[:min(3, len(errs))]...))
	}
	return Arrived{Seconds: seconds, Spread: spread(took), Failed: failed}, nil
}

func (c *Crowd) arrive(address string, pool apiConns, i int, write bool) (*wsclient.Conn, error) {
	conn, id, err := Greet(fmt.Sprintf("%s?user=user%d", address, i), 4096)
	if err != nil {
		return nil, err
	}
	body := []byte("{}")
	if write {
		body = AppendKeys(fmt.Appendf(nil, `{"private":{"user%d":`, i), c.Keys, i)
		body = append(body, "}}"...)
	}
	if err = pool.call(http.MethodPut, "/v1/connection/"+id+"/lattices/"+Namespace, body); err == nil {
		err = awaitSnapshot(conn, c.Keys)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}
