package testkit

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Response is a response as it was on the wire.
type Response struct {
	Head    string // everything up to the empty line
	Proto   string
	Status  int
	Reason  string
	Headers []Header
	Body    string
}

// Get is the value of a header; several are joined with " | ", so that a test sees duplicates.
func (r *Response) Get(name string) string { return strings.Join(r.All(name), " | ") }

// All is the values of a header.
func (r *Response) All(name string) []string {
	var values []string
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	return values
}

// Client is one raw connection to a server.
type Client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// Dial connects; reads fail after Patience.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(Patience))
	return &Client{t: t, Conn: conn, r: bufio.NewReader(conn)}
}

// Send writes a text as it is.
func (c *Client) Send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		c.t.Fatal(err)
	}
}

// Response reads the response to a request with this method.
func (c *Client) Response(method string) *Response {
	c.t.Helper()
	r, err := readResponse(c.r, method)
	if err != nil {
		c.t.Fatalf("reading a response: %v", err)
	}
	return r
}

// Closed waits until the server closes, and fails when it sends something else before.
func (c *Client) Closed() {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(Patience))
	rest, err := io.ReadAll(c.r)
	if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
		c.t.Errorf("the server does not close the connection")
	}
	if len(rest) > 0 {
		c.t.Errorf("the server sent %q before it closed", short(string(rest)))
	}
}

// ClosedOrReset waits until the server ends the connection in whatever way.
func (c *Client) ClosedOrReset() {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(Patience))
	_, err := io.Copy(io.Discard, c.r)
	if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
		c.t.Errorf("the server does not end the connection")
	}
}

// StatusOrClosed reads a response and returns its status, 0 when the server closed without one.
func (c *Client) StatusOrClosed() int { return c.TryResponse(Patience) }

// TryResponse is the status of a response that comes within the time, else 0.
func (c *Client) TryResponse(patience time.Duration) int {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	defer func() { _ = c.SetReadDeadline(time.Now().Add(Patience)) }()
	r, err := readResponse(c.r, http.MethodGet)
	if err != nil {
		return 0
	}
	return r.Status
}

// Silent fails when the server sends something, or closes, within Quiet.
func (c *Client) Silent() {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(Quiet))
	b, err := c.r.Peek(1)
	_ = c.SetReadDeadline(time.Now().Add(Patience))
	if netErr, ok := err.(net.Error); !ok || !netErr.Timeout() {
		c.t.Errorf("the server is not silent: %q, %v", b, err)
	}
}

// WantRaw reads exactly this text.
func (c *Client) WantRaw(want string) {
	c.t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c.r, b); err != nil || string(b) != want {
		c.t.Fatalf("read %q, %v; want %q", b[:n], err, want)
	}
}

// Do sends one request on a connection of its own and returns the response.
func Do(t testing.TB, addr, request string) *Response {
	t.Helper()
	c := Dial(t, addr)
	defer func() { _ = c.Close() }()
	c.Send(request)
	method, _, _ := strings.Cut(strings.TrimLeft(request, "\r\n"), " ")
	return c.Response(method)
}

// HTTP makes the text of an HTTP/1.1 request; headers are lines. The host is localhost unless a header names another; a body
// gets its length.
func HTTP(method, target, body string, headers ...string) string {
	host, rest := "Host: localhost\r\n", ""
	for _, h := range headers {
		if len(h) > 5 && strings.EqualFold(h[:5], "host:") {
			host = ""
		}
		rest += h + "\r\n"
	}
	if body != "" {
		rest += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return method + " " + target + " HTTP/1.1\r\n" + host + rest + "\r\n" + body
}

// Get asks for a target.
func Get(t testing.TB, addr, target string, headers ...string) *Response {
	t.Helper()
	return Do(t, addr, HTTP("GET", target, "", headers...))
}

// ResponseHead reads a response's head only; the body follows raw.
func (c *Client) ResponseHead() *Response {
	c.t.Helper()
	r, err := readHead(c.r)
	if err != nil {
		c.t.Fatalf("reading a response: %v", err)
	}
	return r
}

func readResponse(r *bufio.Reader, method string) (*Response, error) {
	response, err := readHead(r)
	if err != nil {
		return nil, err
	}
	return response, response.readBody(r, method)
}

func readHead(r *bufio.Reader) (*Response, error) {
	response := &Response{}
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
		response.Head += line + "\r\n"
		if first {
			first = false
			var status string
			response.Proto, status, _ = strings.Cut(line, " ")
			status, response.Reason, _ = strings.Cut(status, " ")
			if response.Status, err = strconv.Atoi(status); err != nil {
				return nil, err
			}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		response.Headers = append(response.Headers, Header{name, strings.TrimSpace(value)})
	}
	return response, nil
}

func (r *Response) readBody(reader *bufio.Reader, method string) error {
	if method == http.MethodHead || r.Status == http.StatusNoContent || r.Status == http.StatusNotModified || r.Status < 200 {
		return nil
	}
	if strings.EqualFold(r.Get("Transfer-Encoding"), "chunked") {
		request := &Request{}
		err := request.readChunks(reader)
		r.Body = request.Body
		return err
	}
	if r.Get("Content-Length") == "" {
		body, err := io.ReadAll(reader)
		r.Body = string(body)
		return err
	}
	length, err := strconv.Atoi(r.Get("Content-Length"))
	if err != nil {
		return err
	}
	body := make([]byte, length)
	_, err = io.ReadFull(reader, body)
	r.Body = string(body)
	return err
}
