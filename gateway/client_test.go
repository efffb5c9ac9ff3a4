package gateway_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/memnet"
)

// client is a websocket client for tests that can also misbehave. What the server does arrives as events: "101 PROTO",
// "http STATUS …", a text frame as it is, "binary …", "pong …", "ping", "close CODE REASON", "eof".
type client struct {
	conn *memnet.Conn
	// mute clients answer neither pings nor Close; pings makes pings events.
	mute, pings bool

	mu     sync.Mutex // guards events
	events []string
}

func (c *client) event(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// next takes the oldest event; "" when there is none.
func (c *client) next() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) == 0 {
		return ""
	}
	e := c.events[0]
	c.events = c.events[1:]
	return e
}

// open sends a handshake with the headers given, which replace the usual ones of the same name; an empty value removes.
func open(t *testing.T, l *memnet.Listener, target string, headers []string) *client {
	t.Helper()
	nc, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &client{conn: nc}
	lines := [][2]string{
		{"Host", "example.org"},
		{"Connection", "Upgrade"},
		{"Upgrade", "websocket"},
		{"Sec-WebSocket-Version", "13"},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
		{"Sec-WebSocket-Protocol", gateway.Subprotocol},
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch name {
		case "mute":
			c.mute = true
			continue
		case "pings":
			c.pings = true
			continue
		}
		found := false
		for i := range lines[:6] {
			if strings.EqualFold(lines[i][0], name) {
				lines[i][1], found = value, true
			}
		}
		if !found {
			lines = append(lines, [2]string{name, value})
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\n", target)
	for _, l := range lines {
		if l[1] != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", l[0], l[1])
		}
	}
	b.WriteString("\r\n")
	if _, err := nc.Write([]byte(b.String())); err != nil {
		t.Fatal(err)
	}
	go c.read()
	return c
}

// read turns what the server sends into events.
func (c *client) read() {
	defer c.conn.Close()
	r := bufio.NewReader(c.conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		c.event("eof")
		return
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_, _ = io.Copy(io.Discard, resp.Body)
		c.event("http %d %s", resp.StatusCode, resp.Header.Get("Retry-After"))
		return
	}
	c.event("101 %s", resp.Header.Get("Sec-Websocket-Protocol"))
	closed := false
	for {
		op, payload, err := readFrame(r)
		switch {
		case err != nil && closed:
			return
		case err != nil:
			c.event("eof")
			return
		}
		switch op {
		case 1:
			c.event("%s", payload)
		case 2:
			c.event("binary %s", payload)
		case 8:
			closed = true
			if len(payload) < 2 {
				c.event("close")
			} else {
				c.event("close %d %s", binary.BigEndian.Uint16(payload), payload[2:])
			}
			if !c.mute {
				c.send(0x88, payload)
			}
		case 9:
			if c.pings {
				c.event("ping")
			}
			if !c.mute {
				c.send(0x8A, payload)
			}
		case 10:
			c.event("pong %s", payload)
		}
	}
}

func readFrame(r *bufio.Reader) (op byte, payload []byte, err error) {
	var head [10]byte
	if _, err = io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1] & 0x7f)
	switch n {
	case 126:
		if _, err = io.ReadFull(r, head[2:4]); err != nil {
			return 0, nil, err
		}
		n = uint64(binary.BigEndian.Uint16(head[2:4]))
	case 127:
		if _, err = io.ReadFull(r, head[2:10]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(head[2:10])
	}
	if head[0]&0x80 == 0 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("frame of the server is fragmented or masked: %x", head[:2])
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0] & 0x0f, payload, err
}

// send sends one masked frame; first is its first byte: FIN and opcode. Errors show as eof.
func (c *client) send(first byte, payload []byte) {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i, x := range payload {
		b = append(b, x^mask[i%4])
	}
	_, _ = c.conn.Write(b)
}
