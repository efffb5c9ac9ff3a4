package proxy

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/internal/port"
)

// modelRequest is one request in the queue's property: what became of it, according to the destination.
type modelRequest struct {
	id     int
	cancel context.CancelFunc
	got    chan *conn
	failed chan error
	conn   *conn
}

// machine drives a destination and a dumb twin: a counter and two lists.
type machine struct {
	d        *Destination
	places   int // connections there may be
	limit    int // requests that may wait
	serving  []*modelRequest
	waiting  []*modelRequest
	nextID   int
	refused  int
	fellOver []error
}

// acquire gets a connection, either waiting for it or being told.
func (m *machine) acquire(ctx context.Context, later bool) (*conn, error) {
	x := &exchange{d: m.d, set: m.d.set.Load()}
	told := make(chan struct{}, 2)
	var leave func()
	if later {
		x.turn.call = &port.Call{Ready: func() { told <- struct{}{} }, Queued: func(l func()) { leave = l }}
	}
	c, err := m.d.acquire(ctx, x.set, &x.turn, nil)
	if err != errQueued {
		return c, err
	}
	defer context.AfterFunc(ctx, leave)()
	<-told
	c, err = x.resume(ctx)
	if err == nil && ctx.Err() != nil {
		m.d.unused(c, &x.turn)
		return nil, ctx.Err()
	}
	if len(told) > 0 {
		m.fellOver = append(m.fellOver, errors.New("told twice"))
	}
	return c, err
}

func (m *machine) arrive(rt *rapid.T) {
	later := rapid.Bool().Draw(rt, "told later")
	ctx, cancel := context.WithCancel(context.Background())
	r := &modelRequest{id: m.nextID, cancel: cancel, got: make(chan *conn, 1), failed: make(chan error, 1)}
	m.nextID++
	go func() {
		c, err := m.acquire(ctx, later)
		if err != nil {
			r.failed <- err
			return
		}
		r.got <- c
	}()
	synctest.Wait()
	switch {
	case len(m.serving) < m.places:
		m.serving = append(m.serving, r)
	case len(m.waiting) < m.limit:
		m.waiting = append(m.waiting, r)
	default:
		m.refused++
		select {
		case err := <-r.failed:
			if !errors.Is(err, port.ErrQueueFull) {
				m.fellOver = append(m.fellOver, err)
			}
		default:
			m.fellOver = append(m.fellOver, errors.New("a request was not refused"))
		}
		cancel()
	}
}

// end ends one of the requests being served, by end; the first that waits is served then.
func (m *machine) end(t *rapid.T, how func(*conn)) {
	if len(m.serving) == 0 {
		t.Skip("none is served")
	}
	i := rapid.IntRange(0, len(m.serving)-1).Draw(t, "which")
	r := m.serving[i]
	m.serving = slices.Delete(m.serving, i, i+1)
	how(r.conn)
	r.cancel()
	synctest.Wait()
	if len(m.waiting) > 0 {
		m.serving = append(m.serving, m.waiting[0])
		m.waiting = m.waiting[1:]
	}
}

func (m *machine) finish(t *rapid.T) { m.end(t, m.d.release) }
func (m *machine) breakOff(t *rapid.T) {
	m.end(t, func(c *conn) { m.d.drop(c, nil) })
}

func (m *machine) giveUp(t *rapid.T) {
	if len(m.waiting) == 0 {
		t.Skip("none waits")
	}
	i := rapid.IntRange(0, len(m.waiting)-1).Draw(t, "which")
	r := m.waiting[i]
	m.waiting = slices.Delete(m.waiting, i, i+1)
	r.cancel()
	synctest.Wait()
	if err := <-r.failed; !errors.Is(err, context.Canceled) {
		m.fellOver = append(m.fellOver, err)
	}
}

// check: exactly those are served that the twin serves, and the figures agree.
func (m *machine) check(t *rapid.T) {
	for _, r := range m.serving {
		if r.conn != nil {
			continue
		}
		select {
		case r.conn = <-r.got:
		case err := <-r.failed:
			t.Fatalf("request %d failed: %v", r.id, err)
		default:
			t.Fatalf("request %d is not served", r.id)
		}
	}
	for _, r := range m.waiting {
		select {
		case <-r.got:
			t.Fatalf("request %d is served out of turn", r.id)
		case err := <-r.failed:
			t.Fatalf("request %d failed: %v", r.id, err)
		default:
		}
	}
	if len(m.fellOver) > 0 {
		t.Fatal(m.fellOver)
	}
	s := m.d.Stats()
	if int(s.RequestQueue) != len(m.waiting) || int(s.BackpressureFailures) != m.refused || int(s.Connected) > m.places {
		t.Fatalf("%d wait, %d refused: %+v", len(m.waiting), m.refused, s)
	}
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	sum := 0
	for _, b := range m.d.backends {
		sum += b.conns
		if b.dialing != 0 || b.tunnels != 0 || b.idle < 0 {
			t.Fatalf("backend %+v", b)
		}
	}
	if sum != m.d.open {
		t.Fatalf("%d connections counted, %d open", sum, m.d.open)
	}
	if m.d.idle.first != nil && len(m.waiting) > 0 {
		t.Fatal("a connection is idle while requests wait")
	}
}

func TestQueueModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var failure any
		synctest.Test(t, func(t *testing.T) {
			defer func() { failure = recover() }() // rapid fails by a panic, which must come out of the bubble
			checkQueue(t, rt)
		})
		if failure != nil {
			panic(failure)
		}
	})
}

func checkQueue(t *testing.T, rt *rapid.T) {
	n := newNetwork()
	n.listen(t, "10.0.0.1:80")
	n.listen(t, "10.0.0.2:80")
	perBackend := rapid.IntRange(1, 3).Draw(rt, "connections")
	cfg := limited(perBackend, "10.0.0.1", "10.0.0.2")
	cfg.QueueSizeFor503 = rapid.IntRange(0, 4).Draw(rt, "queue")
	d := NewDestination("model", cfg, Deps{Dial: n.dial})
	m := &machine{d: d, places: 2 * perBackend, limit: max(cfg.QueueSizeFor503, 1)}
	defer func() {
		for _, r := range m.waiting {
			r.cancel()
		}
		synctest.Wait()
		for _, r := range m.serving {
			if r.conn == nil {
				r.conn = <-r.got
			}
			d.drop(r.conn, nil)
		}
		d.Close(context.Background())
	}()
	rt.Repeat(map[string]func(*rapid.T){
		"": m.check, "arrive": m.arrive, "arrive again": m.arrive, "finish": m.finish,
		"break off": m.breakOff, "give up": m.giveUp,
	})
}
