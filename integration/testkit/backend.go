package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Header is one header line as it was on the wire.
type Header struct{ Name, Value string }

// Request is one request as a backend saw it, byte for byte.
type Request struct {
	Head    string // everything up to the empty line
	Method  string
	Target  string
	Proto   string
	Headers []Header
	Body    string
	Conn    int // the number of the connection, from 0

	conn  net.Conn
	reply chan string // closed without a reply: the connection is closed
	once  *sync.Once
}

// Get is the value of a header; several are joined with a comma, as WSGI servers do.
func (r *Request) Get(name string) string {
	var values []string
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	return strings.Join(values, ",")
}

// Has tells whether there is such a header.
func (r *Request) Has(name string) bool {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

// Raw answers with exactly these bytes.
func (r *Request) Raw(text string) {
	r.once.Do(func() {
		r.reply <- text
		close(r.reply)
	})
}

// Reply answers with a status, headers and a body with its length.
func (r *Request) Reply(status int, body string, headers ...string) {
	r.Raw(response(status, body, headers...))
}

// JSON answers 200 with a JSON body.
func (r *Request) JSON(body string) { r.Reply(http.StatusOK, body, "Content-Type: application/json") }

// Drop closes the connection without an answer.
func (r *Request) Drop() { r.once.Do(func() { close(r.reply) }) }

func response(status int, body string, headers ...string) string {
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for _, h := range headers {
		head += h + "\r\n"
	}
	return head + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// Backend is a scripted HTTP backend on raw sockets. The test takes each request with Next and answers it.
type Backend struct {
	t        testing.TB
	listener net.Listener
	requests chan *Request
	oneShot  bool

	mu      sync.Mutex // guards what follows
	handler func(*Request)
	conns   map[net.Conn]struct{}
	count   int
}

// Backend starts a backend that keeps connections open and sets the name to its address.
func (e *Env) Backend(name string) *Backend { return e.backend(name, false) }

// OneShot starts a backend like the WSGI server of the original's suite: it speaks HTTP/1.0, accepts exactly one connection for
// each Next and closes it after the answer. A speculative or spare connection would hang it.
func (e *Env) OneShot(name string) *Backend { return e.backend(name, true) }

func (e *Env) backend(name string, oneShot bool) *Backend {
	e.T.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.T.Fatal(err)
	}
	b := &Backend{t: e.T, listener: listener, requests: make(chan *Request, 1024), oneShot: oneShot, conns: make(map[net.Conn]struct{})}
	e.Set(name, listener.Addr().String())
	if !oneShot {
		go b.accept()
	}
	e.T.Cleanup(b.Close)
	return b
}

// Addr is where the backend listens.
func (b *Backend) Addr() string { return b.listener.Addr().String() }

// Close stops listening and closes all connections.
func (b *Backend) Close() {
	_ = b.listener.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.conns {
		_ = conn.Close()
	}
}

// Handle lets a function answer all requests from now on, each in a goroutine of its own; nil gives them back to Next.
func (b *Backend) Handle(f func(*Request)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handler = f
}

// Conns is how many connections were ever accepted.
func (b *Backend) Conns() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

func (b *Backend) accept() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		go b.serve(conn)
	}
}

func (b *Backend) serve(conn net.Conn) {
	b.mu.Lock()
	number := b.count
	b.count++
	b.conns[conn] = struct{}{}
	b.mu.Unlock()
	defer func() {
		_ = conn.Close()
		b.mu.Lock()
		delete(b.conns, conn)
		b.mu.Unlock()
	}()
	for reader := bufio.NewReader(conn); ; {
		request, err := readRequest(reader)
		if err != nil {
			return
		}
		request.Conn, request.conn = number, conn
		b.mu.Lock()
		handler := b.handler
		b.mu.Unlock()
		if handler != nil {
			go handler(request)
		} else {
			b.requests <- request
		}
		reply, ok := <-request.reply
		if !ok {
			return
		}
		if b.oneShot {
			reply = strings.Replace(reply, "HTTP/1.1", "HTTP/1.0", 1)
		}
		if _, err := io.WriteString(conn, reply); err != nil || b.oneShot || strings.Contains(reply, "Connection: close\r\n") {
			return
		}
	}
}

// Next waits for the next request.
func (b *Backend) Next() *Request {
	b.t.Helper()
	if b.oneShot {
		_ = b.listener.(*net.TCPListener).SetDeadline(time.Now().Add(Patience))
		conn, err := b.listener.Accept()
		if err != nil {
			b.t.Fatalf("the backend got no connection: %v", err)
		}
		go b.serve(conn)
	}
	select {
	case r := <-b.requests:
		return r
	case <-time.After(Patience):
		b.t.Fatal("the backend got no request")
		return nil
	}
}

// None fails when a request comes within Quiet.
func (b *Backend) None() {
	b.t.Helper()
	select {
	case r := <-b.requests:
		b.t.Errorf("the backend got a request that it must not get:\n%s\n%s", r.Head, r.Body)
		r.Drop()
	case <-time.After(Quiet):
	}
}

// readRequest reads one request as it is.
func readRequest(r *bufio.Reader) (*Request, error) {
	request := &Request{reply: make(chan string, 1), once: new(sync.Once)}
	first := true
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		request.Head += line + "\r\n"
		if first {
			first = false
			request.Method, request.Target, _ = strings.Cut(line, " ")
			request.Target, request.Proto, _ = strings.Cut(request.Target, " ")
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		request.Headers = append(request.Headers, Header{name, strings.TrimSpace(value)})
	}
	return request, request.readBody(r)
}

func (r *Request) readBody(reader *bufio.Reader) error {
	if strings.EqualFold(r.Get("Transfer-Encoding"), "chunked") {
		return r.readChunks(reader)
	}
	length, err := strconv.Atoi(r.Get("Content-Length"))
	if err != nil {
		return nil // no length, no body
	}
	body := make([]byte, length)
	_, err = io.ReadFull(reader, body)
	r.Body = string(body)
	return err
}

func (r *Request) readChunks(reader *bufio.Reader) error {
	lines := textproto.NewReader(reader)
	for {
		line, err := lines.ReadLine()
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(line, 16, 32)
		if err != nil || size < 0 {
			return errors.Join(errors.New("bad chunk size"), err)
		}
		chunk := make([]byte, size+2)
		if _, err := io.ReadFull(reader, chunk); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
		r.Body += string(chunk[:size])
	}
}
