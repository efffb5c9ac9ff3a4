package gateway_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/port"
)

// held is a Requester whose requests wait until the test completes them.
type held chan func(port.Message, error)

func (h held) Request(context.Context, port.Lane, port.Message) (port.Message, error) {
	return port.Message{}, errors.New("nothing of these tests is repeated")
}

func (h held) Start(_ port.Lane, _ port.Message, _ time.Time, done func(port.Message, error)) error {
	h <- done
	return nil
}

// heldNode is a node whose calls go to requests that are held, and whose authorizations are granted.
func heldNode(t *testing.T, log slog.Handler) (*node, held, *backend.NATS) {
	t.Helper()
	h := make(held, 10)
	n := backend.NewNATS("svc", backend.DefaultNATSConfig(), h)
	d := instant{http.Header{"Content-Type": {"application/json"}}}
	s := newSetup(t)
	s.log = log
	nd := startNodeWith(t, 1, s, memory.NewNetwork(0), func(name string) (backend.Destination, bool) {
		if name == "svc" {
			return backend.Destination{NATS: n}, true
		}
		return backend.Destination{HTTP: d}, true
	})
	return nd, h, n
}

func call(c *client, id int) {
	c.send(0x81, fmt.Appendf(nil, `["nats.m",{"request_id":%d},[],{}]`, id))
}

// panicLog panics at the record of a failed call.
type panicLog struct{ slog.Handler }

func (panicLog) Enabled(context.Context, slog.Level) bool { return true }

func (panicLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "Call failed" {
		panic("boom")
	}
	return nil
}

func (l panicLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// TestDefectInCompletion sees that a defect in a completion, which runs on the broker's goroutine, ends that connection
// with 1011 and nothing else.
func TestDefectInCompletion(t *testing.T) {
	t.Parallel()
	nd, h, n := heldNode(t, panicLog{slog.DiscardHandler})
	c, r := connect(t, nd)
	other, or := connect(t, nd)
	call(c, 1)
	(<-h)(port.Message{}, port.ErrTimeout)
	// The error frame was queued before the defect.
	op, p, err := readFrame(r)
	if err == nil && op == 1 {
		op, p, err = readFrame(r)
	}
	if err != nil || op != 8 || binary.BigEndian.Uint16(p) != 1011 {
		t.Errorf("got opcode %d, %q, %v; want Close 1011", op, p, err)
	}
	c.send(0x88, p)
	call(other, 2)
	(<-h)(port.Message{Data: []byte("2")}, nil)
	if _, p, err := readFrame(or); err != nil || string(p) != `["result",{"request_id":2},2]` {
		t.Errorf("the other connection got %q, %v", p, err)
	}
	if got := n.InFlight(); got != 0 {
		t.Errorf("%d requests are in flight", got)
	}
}

// TestAnswerAfterEnd: an answer of either size, or the lack of a responder, for a client that has left or a session pool
// that has stopped reaches nobody and leaves nothing in flight.
func TestAnswerAfterEnd(t *testing.T) {
	t.Parallel()
	nd, h, n := heldNode(t, nil)
	c, _ := connect(t, nd)
	for i := range 3 {
		call(c, i)
	}
	dones := []func(port.Message, error){<-h, <-h, <-h}
	_ = c.conn.Close()
	nd.pool.Stop()
	if got := n.InFlight(); got != 3 {
		t.Errorf("%d requests are in flight, want 3", got)
	}
	dones[0](port.Message{Data: []byte("1")}, nil)
	dones[1](port.Message{Data: make([]byte, 1<<20)}, nil)
	dones[2](port.Message{}, port.ErrNoResponders)
	if got := n.InFlight(); got != 0 {
		t.Errorf("%d requests are in flight after all answers", got)
	}
}

// TestLargeAnswer: what is checked on a worker arrives as well.
func TestLargeAnswer(t *testing.T) {
	t.Parallel()
	nd, h, _ := heldNode(t, nil)
	c, r := connect(t, nd)
	data := make([]byte, 100<<10)
	for i := range data {
		data[i] = 'x'
	}
	data[0], data[len(data)-1] = '"', '"'
	call(c, 1)
	(<-h)(port.Message{Data: data}, nil)
	if _, p, err := readFrame(r); err != nil || string(p) != `["result",{"request_id":1},`+string(data)+`]` {
		t.Errorf("got %d bytes, %.100q, %v", len(p), p, err)
	}
}
