package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
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

	t      testing.TB
	conn   net.Conn
	reader *bufio.Reader
	tunnel bool        // written before reply, read after it
	reply  chan string // closed without a reply: the connection is closed
	once   *sync.Once
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

// Tunnel answers with these bytes and then gives the connection to the test: nothing reads requests from it any more.
func (r *Request) Tunnel(text string) *Client {
	r.once.Do(func() {
		r.tunnel = true
		r.reply <- text
		close(r.reply)
	})
	_ = r.conn.SetReadDeadline(time.Now().Add(Patience))
	return &Client{t: r.t, Conn: r.conn, r: r.reader}
}

// AwaitGone waits until the other side closes the connection: the request was cancelled.
func (r *Request) AwaitGone() {
	r.t.Helper()
	_ = r.conn.SetReadDeadline(time.Now().Add(Patience))
	if b, err := r.reader.Peek(1); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Errorf("the request was not cancelled: read %q, %v", b, err)
	}
	r.Drop()
}

// Drop closes the connection without an answer.
func (r *Request) Drop() { r.once.Do(func() { close(r.reply) }) }

func response(status int, body string, headers ...string) string {
	var lines strings.Builder
	for _, h := range headers {
		lines.WriteString(h + "\r\n")
	}
	return fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, http.StatusText(status)) + lines.String() + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
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
