package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/web"
)

// pattern is a body of some length in which every part is different.
func pattern(n int) string {
	b := make([]byte, 0, n+20)
	for len(b) < n {
		b = append(strconv.AppendInt(b, int64(len(b)), 16), ' ')
	}
	return string(b[:n])
}

// Events reach the client one by one, although no body ends; so does the head alone.
func TestStreamPassesAtOnce(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"Transfer-Encoding: chunked", "Content-Length: 1000", "Connection: close"} {
		t.Run(framing, func(t *testing.T) {
			t.Parallel()
			events := make(chan string)
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				if _, _, err := readRequest(r); err != nil {
					return
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"+framing+"\r\n\r\n")
				for e := range events {
					if strings.HasPrefix(framing, "T") {
						io.WriteString(newChunks(c), e)
					} else {
						io.WriteString(c, e)
					}
				}
			})
			f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), nil)
			resp := f.do(t, "GET", "/", "") // the head is here before any event
			for _, e := range []string{"data: 1\n\n", "data: 2\n\n", "data: 3\n\n"} {
				events <- e
				expect(t, resp.Body, e)
			}
			close(events)
		})
	}
}

// Long bodies come through whole, in every framing, to fast clients and to those that read late.
func TestLongBodies(t *testing.T) {
	t.Parallel()
	body := pattern(8 << 20)
	for _, framing := range []string{"length", "chunked", "close"} {
		for _, ahead := range []int64{0, 100_000, 10 << 20} {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %d ahead, late %v", framing, ahead, late), func(t *testing.T) {
					t.Parallel()
					b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
						if _, _, err := readRequest(r); err == nil {
							writeFramed(c, framing, body)
						}
					})
					d := newTestDestination(t, testConfig(b.addr), Deps{})
					f := startProxy(t, d, func(c *HandlerConfig) { c.ResponseBufferSize = ahead })
					c, r := f.raw(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
					if late {
						c.(*net.TCPConn).SetReadBuffer(128 << 10)
						time.Sleep(3 * slowWrite) // lets the writes block; nothing is asserted by it
					}
					resp, err := http.ReadResponse(r, nil)
					if err != nil {
						t.Fatal(err)
					}
					if got := bodyOf(t, resp); got != body {
						t.Errorf("got %d bytes, want %d", len(got), len(body))
					}
				})
			}
		}
	}
}

func writeFramed(c net.Conn, framing, body string) {
	switch framing {
	case "length":
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	case "chunked":
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		w := newChunks(c)
		for size := 1; body != ""; size = (size*3 + 1) % 70_001 {
			n := min(size, len(body))
			io.WriteString(w, body[:n])
			body = body[n:]
		}
		w.Close()
	case "close":
		io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n"+body)
	}
}

// A client that reads nothing does not hold up the backend, as long as response-buffer-size holds the body.
func TestSlowClientFreesBackend(t *testing.T) {
	t.Parallel()
	body := pattern(8 << 20)
	sent := make(chan struct{}, 1)
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, _, err := readRequest(r); err != nil {
				return
			}
			writeFramed(c, "length", body)
			sent <- struct{}{}
		}
	})
	cfg := testConfig(b.addr)
	cfg.BackendConnectionsPerIPPort, cfg.InFlightRequestsPerBackendConnection = 1, 1
	d := newTestDestination(t, cfg, Deps{})
	f := startProxy(t, d, nil)
	_, r := f.raw(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	<-sent // all of it, though the client has read nothing
	if resp := f.do(t, "HEAD", "/", ""); resp.StatusCode != 200 {
		t.Errorf("the only connection is not free: %d", resp.StatusCode)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := bodyOf(t, resp); got != body {
		t.Errorf("got %d bytes, want %d", len(got), len(body))
	}
}

// What waits for a client that reads nothing is bounded.
func TestSlowClientIsBounded(t *testing.T) {
	t.Parallel()
	progress := make(chan int64, 1)
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		if _, _, err := readRequest(r); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		w, p := newChunks(c), make([]byte, 64<<10)
		var total int64
		for total < 1<<30 {
			c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			if _, err := w.Write(p); err != nil {
				break
			}
			total += int64(len(p))
		}
		progress <- total
	})
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	f := startProxy(t, d, func(c *HandlerConfig) { c.ResponseBufferSize = 1 << 20 })
	c, _ := f.raw(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	// The sockets' own buffers take some megabytes.
	if n := <-progress; n > 64<<20 {
		t.Errorf("the backend could send %d bytes to a client that reads nothing", n)
	}
	c.Close()
}

// A client that leaves while its response is read ahead ends the reading.
func TestSlowClientLeaves(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		defer close(closed)
		if _, _, err := readRequest(r); err == nil {
			io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
			io.Copy(c, zeros{})
		}
	})
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	f := startProxy(t, d, func(c *HandlerConfig) { c.ResponseBufferSize = 1 << 40 })
	c, r := f.raw(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if _, err := http.ReadResponse(r, nil); err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-closed
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A request that is streamed reaches the backend while it comes in, with its length or chunked as the client sent it,
// and a backend that answers early is heard.
func TestStreamedRequest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ head, first, then string }{
		"length":  {"Content-Length: 6", "abc", "def"},
		"chunked": {"Transfer-Encoding: chunked", "3\r\nabc\r\n", "3\r\ndef\r\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 1)
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				if head, _ := readHeadOnly(r); !strings.Contains(head, "\r\n"+tt.head+"\r\n") {
					t.Errorf("head:\n%s", head)
				}
				p := make([]byte, len(tt.first))
				io.ReadFull(r, p)
				got <- string(p)
				p = make([]byte, len(tt.then))
				io.ReadFull(r, p)
				got <- string(p)
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			})
			f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), func(c *HandlerConfig) { c.StreamRequests = true })
			c, r := f.raw(t, "POST / HTTP/1.1\r\nHost: h\r\n"+tt.head+"\r\n\r\n"+tt.first)
			if p := <-got; p != tt.first { // although the body has not ended
				t.Errorf("first %q", p)
			}
			io.WriteString(c, tt.then)
			if p := <-got; p != tt.then {
				t.Errorf("then %q", p)
			}
			if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 200 {
				t.Errorf("%v %v", resp, err)
			}
		})
	}
}

func readHeadOnly(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String(), err
		}
	}
}

// A backend that refuses a long body without reading it is heard, buffered or streamed.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream %v", stream), func(t *testing.T) {
			t.Parallel()
			done := make(chan struct{})
			defer close(done)
			b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := readHeadOnly(r); err == nil {
					io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
					<-done
				}
			})
			d := newTestDestination(t, testConfig(b.addr), Deps{})
			f := startProxy(t, d, func(c *HandlerConfig) { c.StreamRequests, c.MaxPayloadSize = stream, 1<<30 })
			body := pattern(9 << 20) // more than the sockets take
			head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", len(body)+1)
			if !stream {
				head = fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", len(body))
			}
			c, r := f.raw(t, head)
			go io.WriteString(c, body)
			resp, err := http.ReadResponse(r, nil)
			if err != nil || resp.StatusCode != 403 {
				t.Fatalf("%v %v", resp, err)
			}
			if got := bodyOf(t, resp); got != "no" {
				t.Errorf("body %q", got)
			}
		})
	}
}

// A chunked body that grows too large while it is streamed ends in 413.
func TestStreamedTooLarge(t *testing.T) {
	t.Parallel()
	b := startRaw(t, func(_ net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) })
	f := startProxy(t, newTestDestination(t, testConfig(b.addr), Deps{}), func(c *HandlerConfig) {
		c.StreamRequests, c.MaxPayloadSize = true, 4
	})
	_, r := f.raw(t, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n")
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 413 || !resp.Close {
		t.Errorf("%v %v", resp, err)
	}
}

// kernelWriter notes what is handed to it to be moved inside the kernel.
type kernelWriter struct {
	sink
	whole []byte
	moved int64
}

func (w *kernelWriter) Write(p []byte) (int, error) {
	w.whole = append(w.whole, p...)
	return len(p), nil
}

func (w *kernelWriter) ReadFrom(src io.Reader) (int64, error) {
	l, ok := src.(*io.LimitedReader)
	if !ok {
		return 0, fmt.Errorf("%T cannot be spliced", src)
	}
	if _, ok := l.R.(*net.TCPConn); !ok {
		return 0, fmt.Errorf("%T cannot be spliced", l.R)
	}
	p, err := io.ReadAll(src)
	w.whole = append(w.whole, p...)
	w.moved += int64(len(p))
	return int64(len(p)), err
}

// What exceeds response-buffer-size is offered to the kernel as a socket.
func TestLongBodyIsSpliced(t *testing.T) {
	t.Parallel()
	body := pattern(4 << 20)
	b := startRaw(t, func(c net.Conn, r *bufio.Reader) {
		if _, _, err := readRequest(r); err == nil {
			writeFramed(c, "length", body)
			r.ReadByte()
		}
	})
	d := newTestDestination(t, testConfig(b.addr), Deps{})
	cfg := DefaultHandlerConfig()
	cfg.ResponseBufferSize = 1 << 20
	h := NewHandler(cfg, func(string) *Destination { return d }, nil)
	w := &kernelWriter{sink: sink{header: http.Header{}}}
	rec := &web.Record{RawHost: "h", Target: "/"}
	r := httptest.NewRequestWithContext(web.WithRecord(t.Context(), rec), "GET", "/", http.NoBody)
	h.ServeHTTP(w, r)
	if string(w.whole) != body {
		t.Errorf("got %d bytes, want %d", len(w.whole), len(body))
	}
	if rest := int64(len(body)) - w.moved; rest < 1<<20 || rest > 1<<20+bufferSize {
		t.Errorf("%d bytes went through memory", rest)
	}
}
