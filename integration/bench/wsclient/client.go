// Package wsclient is the load generators' websocket client: it costs so little that the generator is not what is measured.
//
// It knows unfragmented frames below 64 KiB, which is all that the measured programs send, and does not answer pings: a run is
// shorter than the ping timeout of any of them, except the memory measure, which uses Drain and Pong.
package wsclient

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Opcodes of RFC 6455 §5.2 that the generators meet.
const (
	Text  = 1
	Close = 8
	Ping  = 9
	Pong  = 10
)

// ErrTooLarge is returned for a frame that does not fit the reader's buffer.
var ErrTooLarge = errors.New("websocket frame larger than the load generator expects")

// Conn is one client connection. One goroutine may read and another one write.
type Conn struct {
	net.Conn
	buf        []byte // read, but not yet consumed: buf[start:end]
	start, end int
}

// Dial opens a websocket. url is ws://HOST:PORT/PATH.
func Dial(url string, subprotocol string, bufferSize int) (*Conn, error) {
	rest, found := strings.CutPrefix(url, "ws://")
	host, path, _ := strings.Cut(rest, "/")
	if !found {
		return nil, fmt.Errorf("not a ws:// address: %q", url)
	}
	conn, err := net.DialTimeout("tcp", host, 10*time.Second)
	if err != nil {
		return nil, err
	}
	head := "GET /" + path + " HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	if subprotocol != "" {
		head += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
	}
	c := &Conn{Conn: conn, buf: make([]byte, bufferSize)}
	if err := c.shake(head + "\r\n"); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) shake(head string) error {
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	defer func() { _ = c.SetDeadline(time.Time{}) }()
	if _, err := io.WriteString(c.Conn, head); err != nil {
		return err
	}
	// The reader is given back with what it has read ahead: frames may follow the head in the same packet.
	r := bufio.NewReader(c.Conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return fmt.Errorf("reading the handshake: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_ = resp.Body.Close()
		return fmt.Errorf("handshake answered %s", resp.Status)
	}
	early, _ := r.Peek(r.Buffered())
	if len(early) > len(c.buf) {
		return ErrTooLarge
	}
	c.end = copy(c.buf, early)
	return nil
}

// Next returns the next frame's opcode and payload; the payload is valid until the next call.
func (c *Conn) Next() (int, []byte, error) {
	for {
		opcode, payload, size := parse(c.buf[c.start:c.end])
		if size > 0 {
			c.start += size
			return opcode, payload, nil
		}
		if c.start > 0 {
			c.end = copy(c.buf, c.buf[c.start:c.end])
			c.start = 0
		}
		if c.end == len(c.buf) {
			return 0, nil, ErrTooLarge
		}
		n, err := c.Read(c.buf[c.end:])
		c.end += n
		if err != nil && n == 0 {
			return 0, nil, err
		}
	}
}

// parse finds the first frame in b; size is 0 when it is not complete.
func parse(b []byte) (opcode int, payload []byte, size int) {
	if len(b) < 2 {
		return 0, nil, 0
	}
	head, length := 2, int(b[1]&0x7f)
	switch length {
	case 126:
		if len(b) < 4 {
			return 0, nil, 0
		}
		head, length = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if len(b) < 10 {
			return 0, nil, 0
		}
		head, length = 10, int(binary.BigEndian.Uint64(b[2:]))
	}
	if length < 0 || len(b)-head < length {
		return 0, nil, 0
	}
	return int(b[0] & 0x0f), b[head : head+length], head + length
}

// AppendFrame appends a masked frame of less than 64 KiB. The mask is zero, which is legal and costs the generator nothing;
// the server unmasks all the same.
func AppendFrame(b []byte, opcode int, payload []byte) []byte {
	b = append(b, 0x80|byte(opcode))
	if len(payload) < 126 {
		b = append(b, 0x80|byte(len(payload)))
	} else {
		b = append(b, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, payload...)
}
