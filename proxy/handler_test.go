package proxy

import (
	"testing"
)

func TestProxySimple(t *testing.T) {
	t.Parallel()
	b := startRaw(t, answer("HTTP/1.1 200 OK\r\nServer: backend\r\nContent-Length: 2\r\n\r\nok"))
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	f := startProxy(t, d, nil)
	resp := f.do(t, "GET", "/a/b?c", "")
	if got := bodyOf(t, resp); resp.StatusCode != 200 || got != "ok" {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
}
