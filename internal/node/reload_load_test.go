package node

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// TestReloadUnderLoad: no request meets a route whose destination is not there any more, or not there yet.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer app.Close()
	text := func(i int) string {
		return fmt.Sprintf(`
listen: [127.0.0.1:0]
routing: {"*": site}
handlers: {site: !Proxy {destination: app%d}}
http-destinations: {app%d: {addresses: ["%s"]}}
session-pools: {main: {listen: [127.0.0.1:0]}, p1: {listen: [127.0.0.1:0]}, p2: {listen: [127.0.0.1:0]}}
`, i, i, app.Listener.Addr())
	}
	n := startNode(t, text(0))
	addr := mainAddr(t, n)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for !stop.Load() {
				resp, err := c.Get("http://" + addr + "/")
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("status %d", resp.StatusCode)
				}
			}
		})
	}
	for i := range 100 {
		if err := n.Reload(t.Context(), load(t, text(i+1))); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}
