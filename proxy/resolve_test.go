package proxy

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// names resolves what the test says.
type fakeResolver struct {
	mu    sync.Mutex
	hosts map[string][]netip.Addr
	asked []time.Time
}

func (r *fakeResolver) set(host string, ips ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts == nil {
		r.hosts = map[string][]netip.Addr{}
	}
	r.hosts[host] = nil
	for _, ip := range ips {
		r.hosts[host] = append(r.hosts[host], netip.MustParseAddr(ip))
	}
}

func (r *fakeResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, time.Now())
	if ips := r.hosts[host]; len(ips) > 0 {
		return ips, nil
	}
	return nil, errors.New("no such host")
}

func (d *Destination) addresses() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, b := range d.backends {
		out = append(out, b.text)
	}
	return out
}

// Names are resolved to all their addresses, every second; duplicates merge; service names never resolve; addresses
// stay when resolving fails.
func TestResolving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &fakeResolver{}
		r.set("app", "10.0.0.1", "::ffff:10.0.0.2")
		cfg := limited(10, "app:8080", "10.0.0.1:8080", "10.0.0.9", "[2001:db8::1]:81", "_http._tcp.app", "App")
		d := newNetwork().destination(t, cfg, Deps{Resolver: r})
		synctest.Wait()
		all := []string{"10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.9:80", "[2001:db8::1]:81"}
		if diff := cmp.Diff(all, d.addresses()); diff != "" {
			t.Errorf("backends (-want +got):\n%s", diff)
		}
		r.set("app", "10.0.0.3")
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"10.0.0.3:8080", "10.0.0.1:8080", "10.0.0.9:80", "[2001:db8::1]:81"}, d.addresses()); diff != "" {
			t.Errorf("a second later (-want +got):\n%s", diff)
		}
		r.set("app")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := d.addresses(); got[0] != "10.0.0.3:8080" {
			t.Errorf("after a failure: %v", got)
		}
	})
}

func TestResolvingPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &fakeResolver{}
		newNetwork().destination(t, limited(1, "app"), Deps{Resolver: r})
		time.Sleep(time.Second - time.Millisecond)
		synctest.Wait()
		if n := len(r.asked); n != 10 {
			t.Errorf("%d tries in the first second of failures, want 10", n)
		}
		r.set("app", "10.0.0.1")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(r.asked); n != 20 {
			t.Errorf("%d tries after ten good ones, want 20", n)
		}
	})
}

// Requests that come before the name resolves wait and are served; those on a backend that vanishes finish, and its
// connection ends with them.
func TestBackendsComeAndGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, r := newNetwork(), &fakeResolver{}
		a, b := n.listen(t, "10.0.0.1:80"), n.listen(t, "10.0.0.2:80")
		d := n.destination(t, limited(10, "app"), Deps{Resolver: r})
		first := call(t.Context(), d, "/first")
		synctest.Wait()
		pending(t, first)
		r.set("app", "10.0.0.1")
		time.Sleep(100 * time.Millisecond)
		req := <-a.requests

		r.set("app", "10.0.0.2")
		time.Sleep(time.Second)
		synctest.Wait()
		second := call(t.Context(), d, "/second")
		(<-b.requests).respond(okResponse)
		synctest.Wait()
		ended(t, second, nil)
		pending(t, first)
		req.respond(okResponse)
		synctest.Wait()
		ended(t, first, nil)
		if now, total := a.open(); now != 0 || total != 1 {
			t.Errorf("the retired backend has %d connections of %d", now, total)
		}
		if now, _ := b.open(); now != 1 {
			t.Errorf("the new backend has %d connections", now)
		}
	})
}

// A reload keeps what waits and the connections that may stay.
func TestApply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.listen(t, "10.0.0.1:80"), n.listen(t, "10.0.0.2:80")
		d := n.destination(t, limited(1, "10.0.0.1"), Deps{})
		call(t.Context(), d, "/first")
		synctest.Wait()
		second := call(t.Context(), d, "/second")
		synctest.Wait()
		pending(t, second)

		cfg := limited(1, "10.0.0.1", "10.0.0.2")
		cfg.OverrideHostHeader = "new.example.com"
		d.Apply(cfg)
		(<-b.requests).respond(okResponse) // what waited goes to the backend that came
		synctest.Wait()
		ended(t, second, nil)
		third := call(t.Context(), d, "/third")
		req := <-b.requests
		if want := "\r\nHost: new.example.com\r\n"; !contains(req.head, want) {
			t.Errorf("request after the reload:\n%s", req.head)
		}
		req.respond(okResponse)
		synctest.Wait()
		ended(t, third, nil)

		d.Apply(limited(1, "10.0.0.2"))
		synctest.Wait()
		(<-a.requests).respond(okResponse)
		synctest.Wait()
		if now, _ := a.open(); now != 0 {
			t.Errorf("%d connections to an address that was removed", now)
		}
		if now, total := b.open(); now != 1 || total != 1 {
			t.Errorf("%d connections of %d to the address that stayed, want the one", now, total)
		}
	})
}

// Closing fails what waits, lets what is in progress finish, and cuts what does not.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		metrics, err := NewMetrics(nil)
		if err != nil {
			t.Fatal(err)
		}
		d := n.destination(t, limited(2, "10.0.0.1"), Deps{Metrics: metrics})
		var outs []<-chan outcome
		for range 3 {
			outs = append(outs, call(t.Context(), d, "/"))
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		closed := make(chan time.Time, 1)
		start := time.Now()
		go func() {
			d.Close(ctx)
			closed <- time.Now()
		}()
		synctest.Wait()
		ended(t, outs[2], errGone)
		ended(t, call1(t, d), errGone)
		(<-b.requests).respond(okResponse)
		synctest.Wait()
		ended(t, outs[0], nil)
		pending(t, outs[1])
		if at := <-closed; at.Sub(start) != 10*time.Second {
			t.Errorf("closed after %v", at.Sub(start))
		}
		synctest.Wait()
		ended(t, outs[1], errGone)
		if now, _ := b.open(); now != 0 {
			t.Errorf("%d connections are left", now)
		}
		if got := metrics.Totals(); got.Pools != 0 || got.PoolsStopped != 1 || got.Requests != 3 || got.Connected != 0 {
			t.Errorf("totals %+v", got)
		}
	})
}
