package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/swindon-go/swindon/internal/port"
)

// seen is one request that a scripted backend has got.
type seen struct {
	dest, path, id, body string
	fields               map[string]string
	reply                chan scripted
	// gone is closed when the gateway has given the request up.
	gone <-chan struct{}
}

type scripted struct {
	reply port.Reply
	err   error
}

// backends is the far end of all destinations: requests wait in a list until the script answers them.
type backends struct {
	mu      sync.Mutex // guards all below
	waiting []*seen
	all     []*seen
}

// take takes the oldest request for a path out; nil when there is none.
func (b *backends) take(path string) *seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.waiting, func(s *seen) bool { return s.path == path })
	if i < 0 {
		return nil
	}
	s := b.waiting[i]
	b.waiting = slices.Delete(b.waiting, i, i+1)
	return s
}

// next takes the oldest request out; nil when there is none.
func (b *backends) next() *seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		return nil
	}
	s := b.waiting[0]
	b.waiting = b.waiting[1:]
	return s
}

func (b *backends) add(s *seen) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, s)
	b.all = append(b.all, s)
}

// end answers whatever the script has not: a backend that never answers must not hold a test up.
func (b *backends) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.all {
		select {
		case s.reply <- scripted{err: port.ErrGone}:
		default:
		}
	}
}

// httpDest is one HTTP destination of the script.
type httpDest struct {
	name string
	*backends
}

func (d httpDest) Call(ctx context.Context, c *port.Call) (port.Reply, error) {
	s := &seen{
		dest: d.name, path: c.Path, id: c.RequestID, body: string(c.Body), reply: make(chan scripted, 1),
		fields: map[string]string{}, gone: ctx.Done(),
	}
	for _, f := range c.Fields {
		s.fields[http.CanonicalHeaderKey(f.Name)] = f.Value
	}
	d.add(s)
	if c.BeforeWait != nil {
		c.BeforeWait()
	}
	select {
	case r := <-s.reply:
		r.reply.Backend = "10.0.0.1:80"
		return r.reply, r.err
	case <-ctx.Done():
		return port.Reply{}, ctx.Err()
	}
}

// natsBackend answers requests over the bus of a node of its own.
func (b *backends) serveNATS(bus interface {
	Publish(m port.Message) error
	Serve(subject, queue string, handle func(port.Message)) (func(), error)
}, subject string,
) (stop func(), err error) {
	return bus.Serve(subject, "q", func(m port.Message) {
		s := &seen{
			dest: "nats", path: m.Subject, id: m.Header.Get(port.HeaderRequestID), body: string(m.Data),
			reply: make(chan scripted, 1), fields: map[string]string{},
		}
		for k, v := range m.Header {
			s.fields[k] = v[0]
		}
		b.add(s)
		go func() {
			r := <-s.reply
			out := port.Message{Subject: m.Reply, Data: r.reply.Body}
			if code := r.reply.Header.Get(port.HeaderErrorCode); code != "" {
				out.Header = port.Header{port.HeaderErrorCode: {code}, port.HeaderError: {"scripted"}}
			}
			_ = bus.Publish(out)
		}()
	})
}

// failures are the errors of a destination by their names in scripts.
var failures = map[string]error{
	"queue-full":    port.ErrQueueFull,
	"queue-timeout": port.ErrQueueTimeout,
	"timeout":       port.ErrTimeout,
	"too-large":     port.ErrTooLarge,
	"gone":          port.ErrGone,
	"reset":         errors.New("connection reset"),
}
