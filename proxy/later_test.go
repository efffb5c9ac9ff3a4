package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// patient is a call that is told when a backend is free.
type patient struct {
	port.Call

	d     *Destination
	told  chan struct{}
	leave func()
}

func newPatient(d *Destination, path string) *patient {
	p := &patient{d: d, told: make(chan struct{}, 10)}
	p.Call = port.Call{
		Path: path, Ready: func() { p.told <- struct{}{} }, Queued: func(leave func()) { p.leave = leave },
	}
	return p
}

// queue makes the call, which has to wait.
func (p *patient) queue(t *testing.T, ctx context.Context) {
	t.Helper()
	if _, err := p.d.Call(ctx, &p.Call); !errors.Is(err, port.ErrQueued) {
		t.Fatalf("%s: %v, want %v", p.Path, err, port.ErrQueued)
	}
}

// goOn goes on with the call in the background once it was told.
func (p *patient) goOn(ctx context.Context) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		<-p.told
		reply, err := p.d.Call(ctx, &p.Call)
		out <- outcome{reply, err, time.Now()}
	}()
	return out
}

// TestToldLater: calls that are told and calls that wait are served in the order in which they came, and nobody is told
// twice.
func TestToldLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		d := n.destination(t, limited(1, "10.0.0.1"), Deps{})
		var outs []<-chan outcome
		var patients []*patient
		for i := range 10 {
			path := fmt.Sprintf("/%d", i)
			if i > 0 && i%2 == 0 {
				p := newPatient(d, path)
				p.queue(t, t.Context())
				outs, patients = append(outs, p.goOn(t.Context())), append(patients, p)
			} else {
				outs = append(outs, call(t.Context(), d, path))
			}
			synctest.Wait()
		}
		if s := d.Stats(); s.RequestQueue != 9 || s.Connected != 1 {
			t.Errorf("stats %+v", s)
		}
		for i := range 10 {
			req := <-b.requests
			if !strings.HasPrefix(req.head, fmt.Sprintf("POST /%d ", i)) {
				t.Errorf("request %d is %q", i, req.head)
			}
			req.respond(okResponse)
			synctest.Wait()
			ended(t, outs[i], nil)
		}
		for _, p := range patients {
			p.leave()
			if len(p.told) > 0 || p.Place != nil {
				t.Errorf("%s: told again, or not over: %v", p.Path, p.Place)
			}
		}
	})
}

// TestToldOfTheEnd: a call that is told learns why it is not made: its queue time is over, it was given up, its context
// had ended already, or the destination is closed. Nothing is sent for it and its place in the queue is free.
func TestToldOfTheEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end   func(d *Destination, p *patient)
		want  error
		after time.Duration
	}{
		"queue time": {func(*Destination, *patient) { time.Sleep(30 * time.Second) }, port.ErrQueueTimeout, 30 * time.Second},
		"given up":   {func(_ *Destination, p *patient) { p.leave(); p.leave() }, context.Canceled, 0},
		"closed": {func(d *Destination, _ *patient) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			d.Close(ctx)
		}, port.ErrGone, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				b := n.listen(t, "10.0.0.1:80")
				cfg := limited(1, "10.0.0.1")
				cfg.MaxRequestTimeout = time.Hour
				d := n.destination(t, cfg, Deps{})
				first := call(t.Context(), d, "/first")
				synctest.Wait()
				start := time.Now()
				p := newPatient(d, "/second")
				p.queue(t, t.Context())
				out := p.goOn(t.Context())
				synctest.Wait()
				pending(t, out)
				tt.end(d, p)
				synctest.Wait()
				o := <-out
				if !errors.Is(o.err, tt.want) || o.at.Sub(start) < tt.after || o.at.Sub(start) > tt.after+sweepPause {
					t.Errorf("ended with %v after %v", o.err, o.at.Sub(start))
				}
				if s := d.Stats(); s.RequestQueue != 0 || len(p.told) != 0 {
					t.Errorf("%d wait, told %d times more", s.RequestQueue, len(p.told))
				}
				if name != "closed" {
					(<-b.requests).respond(okResponse)
					synctest.Wait()
					ended(t, first, nil)
				}
				if len(b.requests) > 1 {
					t.Error("the request was sent")
				}
			})
		})
	}
}

// TestToldInVain: who has left by the time a backend is free gives it back to the next; who had left before the call
// stood in the queue is told at once.
func TestToldInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		d := n.destination(t, limited(1, "10.0.0.1"), Deps{})
		first := call(t.Context(), d, "/first")
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		second := newPatient(d, "/second")
		second.queue(t, ctx)
		third := newPatient(d, "/third")
		third.queue(t, t.Context())
		out3 := third.goOn(t.Context())
		(<-b.requests).respond(okResponse)
		synctest.Wait()
		ended(t, first, nil)
		cancel()
		out2 := second.goOn(ctx)
		synctest.Wait()
		ended(t, out2, context.Canceled)
		req := <-b.requests
		if !strings.HasPrefix(req.head, "POST /third ") {
			t.Errorf("next is %q", req.head)
		}
		gone := newPatient(d, "/gone")
		gone.queue(t, ctx)
		synctest.Wait()
		ended(t, func() <-chan outcome { o := gone.goOn(ctx); synctest.Wait(); return o }(), context.Canceled)
		req.respond(okResponse)
		synctest.Wait()
		ended(t, out3, nil)
	})
}
