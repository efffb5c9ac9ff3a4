package gateway_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/port"
)

// held is a Requester whose requests wait until the test completes them.
type held struct {
	sent chan func(port.Message, error)
	// panics has Start panic, before the request is sent or after.
	panics string

	mu   sync.Mutex // guards the following
	last uint64
	done map[uint64]func(port.Message, error)
}

func newHeld() *held {
	return &held{sent: make(chan func(port.Message, error), 100), done: map[uint64]func(port.Message, error){}}
}

func (*held) Request(context.Context, port.Lane, port.Message) (port.Message, error) {
	return port.Message{}, errors.New("nothing of these tests is repeated")
}

func (h *held) NextRequest(port.Lane) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	return h.last
}

func (h *held) Start(_ port.Lane, id uint64, _ port.Message, _ time.Time, done func(port.Message, error)) error {
	if h.panics == "before" {
		panic("boom")
	}
	once := func(m port.Message, err error) {
		h.mu.Lock()
		_, ok := h.done[id]
		delete(h.done, id)
		h.mu.Unlock()
		if ok {
			done(m, err)
		}
	}
	h.mu.Lock()
	h.done[id] = once
	h.mu.Unlock()
	h.sent <- once
	if h.panics == "after" {
		panic("boom")
	}
	return nil
}

func (h *held) Cancel(_ port.Lane, id uint64) {
	h.mu.Lock()
	done := h.done[id]
	h.mu.Unlock()
	if done != nil {
		done(port.Message{}, context.Canceled)
	}
}

// heldNode is a node whose calls go to requests that are held, and whose authorizations are granted.
func heldNode(t *testing.T, log slog.Handler) (*node, *held, *backend.NATS) {
	t.Helper()
	h := newHeld()
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
	(<-h.sent)(port.Message{}, port.ErrTimeout)
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
	(<-h.sent)(port.Message{Data: []byte("2")}, nil)
	if _, p, err := readFrame(or); err != nil || string(p) != `["result",{"request_id":2},2]` {
		t.Errorf("the other connection got %q, %v", p, err)
	}
	if got := n.InFlight(); got != 0 {
		t.Errorf("%d requests are in flight", got)
	}
}

// TestAnswerAfterEnd: when a client leaves or a session pool stops, its calls over NATS are given up at once; an answer of
// either size, or the lack of a responder, that comes all the same reaches nobody.
func TestAnswerAfterEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(nd *node, c *client){
		"client leaves": func(_ *node, c *client) { _ = c.conn.Close() },
		"pool stops":    func(nd *node, _ *client) { nd.pool.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				nd, h, n := heldNode(t, nil)
				c, _ := connect(t, nd)
				other, _ := connect(t, nd)
				for i := range 3 {
					call(c, i)
				}
				dones := []func(port.Message, error){<-h.sent, <-h.sent, <-h.sent}
				call(other, 3)
				theirs := <-h.sent
				synctest.Wait()
				if got := n.InFlight(); got != 4 {
					t.Errorf("%d requests are in flight, want 4", got)
				}
				ended := make(chan struct{})
				go func() { defer close(ended); end(nd, c) }()
				synctest.Wait()
				want := int64(0)
				if name == "client leaves" {
					want = 1 // the other client's
				}
				if got := n.InFlight(); got != want {
					t.Errorf("%d requests are in flight, want %d", got, want)
				}
				dones[0](port.Message{Data: []byte("1")}, nil)
				dones[1](port.Message{Data: make([]byte, 1<<20)}, nil)
				dones[2](port.Message{}, port.ErrNoResponders)
				theirs(port.Message{Data: []byte("4")}, nil)
				synctest.Wait()
				if got := n.InFlight(); got != 0 {
					t.Errorf("%d requests are in flight after all answers", got)
				}
				<-ended
				nd.stop()
			})
		})
	}
}

// TestLeaversDoNotFillTheLimit: clients that call a silent backend and leave do not take the places of others.
func TestLeaversDoNotFillTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		nd, h, n := heldNode(t, nil)
		cfg := backend.DefaultNATSConfig()
		cfg.MaxInFlight = 3
		n.Apply(cfg)
		for range 5 {
			c, _ := connect(t, nd)
			for i := range cfg.MaxInFlight {
				call(c, i)
				<-h.sent
			}
			synctest.Wait()
			_ = c.conn.Close()
			synctest.Wait()
		}
		c, r := connect(t, nd)
		call(c, 1)
		(<-h.sent)(port.Message{Data: []byte("1")}, nil)
		if _, p, err := readFrame(r); err != nil || string(p) != `["result",{"request_id":1},1]` {
			t.Errorf("got %q, %v", p, err)
		}
		nd.stop()
	})
}

// TestDefectInStart: a defect while a request is sent ends that connection with 1011; whether an answer comes
// afterwards or not, the place is given back, once, and the others live on.
func TestDefectInStart(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				nd, h, n := heldNode(t, nil)
				c, r := connect(t, nd)
				other, or := connect(t, nd)
				h.panics = when
				call(c, 1)
				op, p, err := readFrame(r)
				if err != nil || op != 8 || binary.BigEndian.Uint16(p) != 1011 {
					t.Errorf("got opcode %d, %q, %v; want Close 1011", op, p, err)
				}
				synctest.Wait()
				if got := n.InFlight(); got != 0 {
					t.Errorf("%d requests are in flight after the defect", got)
				}
				h.panics = ""
				if when == "after" {
					(<-h.sent)(port.Message{Data: []byte("1")}, nil)
				}
				synctest.Wait()
				call(other, 2)
				(<-h.sent)(port.Message{Data: []byte("2")}, nil)
				if _, p, err := readFrame(or); err != nil || string(p) != `["result",{"request_id":2},2]` {
					t.Errorf("the other connection got %q, %v", p, err)
				}
				synctest.Wait()
				if got := n.InFlight(); got != 0 {
					t.Errorf("%d requests are in flight after the answer", got)
				}
				nd.stop()
			})
		})
	}
}

// TestDrainAwaitsAnswers: a connection with calls over NATS in flight gets their answers, of either size, before it is
// closed with 1001 (decision D41); one whose answer does not come is closed within the time.
func TestDrainAwaitsAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		nd, h, n := heldNode(t, nil)
		c, r := connect(t, nd)
		silent, sr := connect(t, nd)
		call(c, 1)
		small := <-h.sent
		call(c, 2)
		large := <-h.sent
		call(silent, 3)
		<-h.sent
		synctest.Wait()
		const timeout = 10 * time.Second
		start := time.Now()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			nd.pool.Drain(ctx)
			nd.pool.Stop()
		}()
		time.Sleep(3 * time.Second)
		small(port.Message{Data: []byte("1")}, nil)
		time.Sleep(3 * time.Second)
		text := `"` + strings.Repeat("x", 100<<10) + `"`
		large(port.Message{Data: []byte(text)}, nil)
		for _, want := range []string{`["result",{"request_id":1},1]`, `["result",{"request_id":2},` + text + `]`} {
			if _, p, err := readFrame(r); err != nil || string(p) != want {
				t.Errorf("got %.100q, %v", p, err)
			}
		}
		for _, r := range []*bufio.Reader{r, sr} {
			if op, p, err := readFrame(r); err != nil || op != 8 || binary.BigEndian.Uint16(p) != 1001 {
				t.Errorf("got opcode %d, %.100q, %v; want Close 1001", op, p, err)
			}
		}
		<-drained
		if took := time.Since(start); took > timeout {
			t.Errorf("took %v", took)
		}
		if got := n.InFlight(); got != 0 {
			t.Errorf("%d requests are in flight", got)
		}
		nd.stop()
	})
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
	(<-h.sent)(port.Message{Data: data}, nil)
	if _, p, err := readFrame(r); err != nil || string(p) != `["result",{"request_id":1},`+string(data)+`]` {
		t.Errorf("got %d bytes, %.100q, %v", len(p), p, err)
	}
}
