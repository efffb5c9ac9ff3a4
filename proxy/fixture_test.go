package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rawBackend is a backend that a test scripts on the level of bytes.
type rawBackend struct {
	addr string
	// conns counts accepted connections.
	conns atomic.Int32
}

// startRaw serves each connection by serve, which gets a reader for it; the connection is closed when serve returns.
func startRaw(t testing.TB, serve func(c net.Conn, r *bufio.Reader)) *rawBackend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &rawBackend{addr: l.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.conns.Add(1)
			go func() {
				defer c.Close()
				serve(c, bufio.NewReader(c))
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return b
}

// readRequest reads one request as it came: its head with all line ends, and a body of the length it declares.
func readRequest(r *bufio.Reader) (head, body string, err error) {
	var b strings.Builder
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return b.String(), "", err
		}
		b.WriteString(line)
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "content-length") {
			n, _ := parseDecimal(strings.TrimSpace(value))
			length = int(n)
		}
		if line == "\r\n" {
			break
		}
	}
	p := make([]byte, length)
	_, err = io.ReadFull(r, p)
	return b.String(), string(p), err
}

// answer serves every request of a connection with the same bytes.
func answer(response string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		for {
			if _, _, err := readRequest(r); err != nil {
				return
			}
			if _, err := io.WriteString(c, response); err != nil {
				return
			}
		}
	}
}

// testConfig is a destination with short times.
func testConfig(addrs ...string) DestinationConfig {
	cfg := DefaultDestinationConfig()
	cfg.Addresses = addrs
	cfg.MaxRequestTimeout = 5 * time.Second
	cfg.QueueTimeout = 5 * time.Second
	return cfg
}

// newTestDestination makes a destination that is closed with the test.
func newTestDestination(t testing.TB, cfg DestinationConfig, deps Deps) *Destination {
	t.Helper()
	if deps.UserAgent == "" {
		deps.UserAgent = "swindon/1.0.0"
	}
	d := NewDestination("backend", cfg, deps)
	t.Cleanup(func() { d.Close(context.Background()) })
	return d
}

// fixture is a proxy in front of a destination, with the record and the writer that the edge puts around it.
type fixture struct {
	url  string
	dest *Destination
	// record changes the record of each request before the handler gets it.
	record func(*web.Record)
}

func startProxy(t testing.TB, d *Destination, change func(*HandlerConfig)) *fixture {
	t.Helper()
	cfg := DefaultHandlerConfig()
	cfg.Destination = names.Destination{Name: "backend", Path: "/"}
	if change != nil {
		change(&cfg)
	}
	f := &fixture{dest: d}
	h := NewHandler(cfg, func(name string) *Destination {
		if name != "backend" {
			return nil
		}
		return f.dest
	}, nil)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := testRecord(r)
		if f.record != nil {
			f.record(rec)
		}
		web.SetRecord(r.Context(), rec)
		h.ServeHTTP(web.NewWriter(w, rec), r)
	}))
	srv.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return web.NewConnContext(ctx) }
	srv.Config.DisableGeneralOptionsHandler = true
	srv.Start()
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

func testRecord(r *http.Request) *web.Record {
	peer, _ := netipAddrOf(r.RemoteAddr)
	return &web.Record{
		ID: strings.Repeat("i", 32), Peer: peer, RawHost: r.Host, Host: r.Host, Target: r.RequestURI, Suffix: r.RequestURI,
		ServerName: "swindon/1.0.0", Route: "main", Authorizer: "default",
	}
}

// raw sends bytes to the proxy on a connection of its own and returns a reader for what comes back.
func (f *fixture) raw(t testing.TB, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// get makes a request with a client that keeps nothing.
func (f *fixture) do(t testing.TB, method, path, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func bodyOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	p, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// chunks writes a chunked body.
type chunks struct{ w io.Writer }

func newChunks(w io.Writer) *chunks { return &chunks{w} }

func (c *chunks) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	_, err := fmt.Fprintf(c.w, "%x\r\n%s\r\n", len(p), p)
	return len(p), err
}

func (c *chunks) Close() error {
	_, err := io.WriteString(c.w, "0\r\n\r\n")
	return err
}
