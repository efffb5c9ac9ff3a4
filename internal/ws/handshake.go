package ws

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/swindon-go/swindon/internal/web"
)

// Upgrade puts the 101 head in front of the outbox, where it is held back until Release, with the headers that every
// response has. An empty subprotocol names none. It must be called once, by the request's own goroutine, and drops the
// request.
func (c *Conn) Upgrade(subprotocol string) error {
	c.mu.Lock()
	r := c.req
	c.req = nil
	c.mu.Unlock()
	if r == nil {
		return ErrClosed
	}
	head, err := switching(c.net, r, subprotocol)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != stateOpen {
		return ErrClosed
	}
	c.upgraded = true
	c.out.add(c.group, Frame{})
	frames := c.out.waiting.frames
	copy(frames[1:], frames)
	frames[0] = Frame{wire: head}
	c.out.wait.bytes += len(head)
	return nil
}

// switching makes the head of the 101 answer to a handshake.
func switching(nc net.Conn, r *http.Request, subprotocol string) (string, error) {
	rec := web.RecordOf(r)
	rec.Status = http.StatusSwitchingProtocols
	h := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
	if subprotocol != "" {
		h["Sec-Websocket-Protocol"] = []string{subprotocol}
	}
	rec.Decorate(h)
	s := &shaker{Conn: nc}
	up := websocket.Upgrader{
		ReadBufferSize:  maxControl, // its reader is not used, nor is its writer
		WriteBufferPool: noPool{},
		CheckOrigin:     func(*http.Request) bool { return true },
		Error:           func(http.ResponseWriter, *http.Request, int, error) {},
	}
	if _, err := up.Upgrade(s, r, h); err != nil {
		return "", fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	return string(s.head), nil
}

// shaker is what gorilla's Upgrader hijacks: it keeps the head instead of sending it.
type shaker struct {
	net.Conn // for nothing but the methods that are not called
	head     []byte
}

// Header, Write and WriteHeader make it an http.ResponseWriter; the Upgrader reports errors otherwise.
func (s *shaker) Header() http.Header { return http.Header{} }

// WriteHeader is not called.
func (s *shaker) WriteHeader(int) {}

// Write keeps the head, with the Connection header spelled as clients of the original insist on (protocol §1.2).
func (s *shaker) Write(p []byte) (int, error) {
	s.head = bytes.Replace(append(s.head, p...), []byte("\r\nConnection: Upgrade\r\n"), []byte("\r\nConnection: upgrade\r\n"), 1)
	return len(p), nil
}

// SetDeadline does nothing: deadlines are the flushers' business.
func (s *shaker) SetDeadline(time.Time) error { return nil }

// Hijack gives the Upgrader a connection without buffers.
func (s *shaker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return s, bufio.NewReadWriter(bufio.NewReaderSize(nothing{}, 16), bufio.NewWriterSize(io.Discard, 512)), nil
}

// nothing is an empty reader.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }

// noPool is a websocket.BufferPool that is never asked, since nothing is written through gorilla.
type noPool struct{}

// Get returns no buffer.
func (noPool) Get() any { return nil }

// Put drops the buffer.
func (noPool) Put(any) {}

var _ http.Hijacker = (*shaker)(nil)
