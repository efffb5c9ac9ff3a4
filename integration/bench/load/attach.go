package load

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/integration/bench/wsclient"
)

// Attaching says how often a client is attached to a namespace that nobody looks at yet.
type Attaching struct {
	URL    string // ws://HOST:PORT/PATH
	API    string // of the same node
	NATS   string // where the state is written
	Prefix string // of the node's subjects
	Pool   string // its session pool
	Keys   int    // that the user sees: private ones, each with a shared part
	Times  int
}

// reader is the user whose state is written and read.
const reader = "reader"

// Attach writes the state of so many namespaces and then attaches a client to one after the other. What is measured is the
// time from the request to the arrival of the snapshot.
func Attach(a Attaching) (Spread, error) {
	if err := a.prepare(reader); err != nil {
		return Spread{}, err
	}
	conn, id, err := Greet(a.URL+"?user="+reader, 64<<10)
	if err != nil {
		return Spread{}, err
	}
	defer func() { _ = conn.Close() }()
	api, err := dialAPI(a.API)
	if err != nil {
		return Spread{}, err
	}
	defer func() { _ = api.conn.Close() }()
	var took []time.Duration
	for i := range a.Times {
		start := time.Now()
		path := "/v1/connection/" + id + "/lattices/" + Namespace + strconv.Itoa(i)
		got := make(chan error, 1)
		go func() {
			err := awaitSnapshot(conn, a.Keys)
			took = append(took, time.Since(start))
			got <- err
		}()
		if err := api.call(http.MethodPut, path, []byte("{}")); err != nil {
			return Spread{}, err
		}
		if err := <-got; err != nil {
			return Spread{}, err
		}
	}
	return spread(took), nil
}

// prepare writes everything that the clients will see.
func (a Attaching) prepare(user string) error {
	nc, err := nats.Connect(a.NATS)
	if err != nil {
		return err
	}
	defer nc.Close()
	n := 0
	_, err = askAll(nc, 8, func() (string, []byte, bool) {
		if n == a.Times {
			return "", nil, false
		}
		subject := a.Prefix + "." + a.Pool + ".api.lattice." + Namespace + strconv.Itoa(n)
		n++
		body := []byte(`{"shared":{`)
		for i := range a.Keys {
			if i > 0 {
				body = append(body, ',')
			}
			body = fmt.Appendf(body, `"room:%d":{"size_counter":%d}`, i, i+1)
		}
		body = fmt.Appendf(body, `},"private":{"%s":`, user)
		return subject, append(AppendKeys(body, a.Keys, 0), "}}"...), true
	})
	return err
}

// awaitSnapshot reads until a lattice frame with so many keys has come.
func awaitSnapshot(conn *wsclient.Conn, keys int) error {
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		opcode, payload, err := conn.Next()
		if err != nil {
			return err
		}
		if opcode == wsclient.Ping {
			if _, err := conn.Write(wsclient.AppendFrame(nil, wsclient.Pong, payload)); err != nil {
				return err
			}
		}
		if opcode != wsclient.Text {
			continue
		}
		if n := bytes.Count(payload, []byte(`"room:`)); n != keys || !bytes.HasPrefix(payload, []byte(`["lattice"`)) {
			return fmt.Errorf("%d keys instead of %d: %.200s", n, keys, payload)
		}
		return nil
	}
}
