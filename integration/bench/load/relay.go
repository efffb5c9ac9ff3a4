package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/integration/bench/wsclient"
)

// Relaying says from where to where lattice updates go.
type Relaying struct {
	URL    string // of the subscriber's node, ws://HOST:PORT/PATH
	API    string // of the subscriber's node
	From   string // backend API of the node that gets the updates
	Keys   int    // written in turn, so that no two updates of one are under way at the same time
	Base   int    // the counters begin behind it
	Rate   float64
	Length time.Duration
}

// Relayed is what came of it.
type Relayed struct {
	Messages int64
	Seconds  float64
	Spread   Spread // from the request to the frame at the subscriber
}

// relay is a subscriber and those who write what it sees.
type relay struct {
	Relaying
	conn   *wsclient.Conn
	begin  time.Time
	starts []atomic.Int64 // since begin
	got    chan error
	took   []time.Duration // the reader's until got
}

// Relay runs until all updates have arrived at the subscriber.
func Relay(r Relaying) (Relayed, error) {
	const user, writers = "reader", 8
	conn, id, err := Greet(r.URL+"?user="+user, 64<<10)
	if err != nil {
		return Relayed{}, err
	}
	defer func() { _ = conn.Close() }()
	api, err := dialAPI(r.API)
	if err != nil {
		return Relayed{}, err
	}
	defer func() { _ = api.conn.Close() }()
	body := AppendKeys([]byte(`{"private":{"`+user+`":`), r.Keys, 0)
	if err := api.call(http.MethodPut, "/v1/connection/"+id+"/lattices/"+Namespace, append(body, "}}"...)); err != nil {
		return Relayed{}, err
	}
	if err := awaitSnapshot(conn, r.Keys); err != nil {
		return Relayed{}, err
	}
	run := &relay{
		Relaying: r, conn: conn, begin: time.Now(), got: make(chan error, 1),
		starts: make([]atomic.Int64, int(r.Rate*r.Length.Seconds())),
	}
	go func() { run.got <- run.read() }()
	if err := run.write(writers); err != nil {
		return Relayed{}, err
	}
	if err := <-run.got; err != nil {
		return Relayed{}, err
	}
	return Relayed{Messages: int64(len(run.starts)), Seconds: time.Since(run.begin).Seconds(), Spread: spread(run.took)}, nil
}

func (r *relay) write(writers int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wait sync.WaitGroup
	var first atomic.Pointer[error]
	for i := range writers {
		wait.Go(func() {
			if err := r.writer(ctx, i, writers); err != nil {
				first.CompareAndSwap(nil, &err)
				cancel()
			}
		})
	}
	wait.Wait()
	if err := first.Load(); err != nil {
		return fmt.Errorf("updating: %w", *err)
	}
	return nil
}

// writer sends each of its updates when it is due: number n is the counter base+n/keys+1 of the key n%keys.
func (r *relay) writer(ctx context.Context, i, writers int) error {
	api, err := dialAPI(r.From)
	if err != nil {
		return err
	}
	defer func() { _ = api.conn.Close() }()
	pace := Publishing{Rate: r.Rate}
	for n := i; n < len(r.starts) && pace.pace(ctx, r.begin, n); n += writers {
		body := fmt.Appendf(nil, `{"shared":{"room:%d":{"size_counter":%d}}}`, n%r.Keys, r.Base+n/r.Keys+1)
		r.starts[n].Store(int64(time.Since(r.begin)))
		if err := api.call(http.MethodPost, "/v1/lattice/"+Namespace, body); err != nil {
			return err
		}
	}
	return nil
}

// read takes frames until every update has been seen.
func (r *relay) read() error {
	seen := make(map[int]bool, len(r.starts))
	_ = r.conn.SetReadDeadline(r.begin.Add(r.Length + time.Minute))
	for len(seen) < len(r.starts) {
		opcode, payload, err := r.conn.Next()
		if err != nil {
			return fmt.Errorf("%d of %d updates arrived: %w", len(seen), len(r.starts), err)
		}
		if opcode != wsclient.Text {
			continue
		}
		if err := r.take(payload, seen); err != nil {
			return err
		}
	}
	return nil
}

func (r *relay) take(payload []byte, seen map[int]bool) error {
	var frame [3]json.RawMessage
	var data map[string]struct {
		Size int `json:"size_counter"`
	}
	if err := json.Unmarshal(payload, &frame); err != nil {
		return err
	}
	if err := json.Unmarshal(frame[2], &data); err != nil {
		return err
	}
	now := time.Since(r.begin)
	for key, vars := range data {
		i, err := strconv.Atoi(strings.TrimPrefix(key, "room:"))
		if n := (vars.Size-1-r.Base)*r.Keys + i; err == nil && n >= 0 && n < len(r.starts) && !seen[n] {
			seen[n] = true
			r.took = append(r.took, now-time.Duration(r.starts[n].Load()))
		}
	}
	return nil
}
