package testkit

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Subprotocol is what the original's clients offer.
const Subprotocol = "v1.swindon-lattice+json"

// Opcodes of RFC 6455 §5.2.
const (
	OpText   = 1
	OpBinary = 2
	OpClose  = 8
	OpPing   = 9
	OpPong   = 10
)

// Handshake is the text of a correct websocket request; further headers are lines.
func Handshake(target string, headers ...string) string {
	return HTTP("GET", target, "", append([]string{
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
	}, headers...)...)
}

// Accepted is the Sec-WebSocket-Accept value that answers the key of Handshake (RFC 6455 §1.3).
const Accepted = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// Websocket is a raw websocket client: it sees and sends every frame as it is.
type Websocket struct {
	*Client
	Head *Response // the 101
}

// Open sends a handshake with the subprotocol of the lattice clients. The 101 comes with the first frame: call Shake then.
func Open(t testing.TB, addr, target string, headers ...string) *Websocket {
	t.Helper()
	c := Dial(t, addr)
	c.Send(Handshake(target, append([]string{"Sec-WebSocket-Protocol: " + Subprotocol}, headers...)...))
	return &Websocket{Client: c}
}

// Shake reads the answer to the handshake, which must be a 101.
func (w *Websocket) Shake() *Websocket {
	w.t.Helper()
	w.Head = w.Response(http.MethodGet)
	if w.Head.Status != http.StatusSwitchingProtocols {
		w.t.Fatalf("the handshake was answered\n%s%s", w.Head.Head, w.Head.Body)
	}
	return w
}

// Frame reads one frame. It must be final, without reserved bits and unmasked.
func (w *Websocket) Frame() (opcode int, payload string) {
	w.t.Helper()
	_ = w.SetReadDeadline(time.Now().Add(Patience))
	opcode, payload, err := w.readFrame()
	if err != nil {
		w.t.Fatalf("reading a frame: %v", err)
	}
	return opcode, payload
}

func (w *Websocket) readFrame() (int, string, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(w.r, head); err != nil {
		return 0, "", err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		w.t.Errorf("a frame begins %x: it must be final, without extensions, unmasked", head)
	}
	length := uint64(head[1] & 0x7f)
	if length >= 126 {
		size := 2
		if length == 127 {
			size = 8
		}
		more := make([]byte, 8)
		if _, err := io.ReadFull(w.r, more[8-size:]); err != nil {
			return 0, "", err
		}
		length = binary.BigEndian.Uint64(more)
	}
	payload := make([]byte, length)
	_, err := io.ReadFull(w.r, payload)
	return int(head[0] & 0x0f), string(payload), err
}

// Text reads the next text frame; pings are answered meanwhile.
func (w *Websocket) Text() string {
	w.t.Helper()
	for {
		opcode, payload := w.Frame()
		switch opcode {
		case OpText:
			return payload
		case OpPing:
			w.SendFrame(OpPong, payload)
		default:
			w.t.Fatalf("got a frame with opcode %d and %q instead of text", opcode, payload)
		}
	}
}

// Want reads the next text frame and compares it as JSON.
func (w *Websocket) Want(want string) {
	w.t.Helper()
	if got := w.Text(); !SameJSON(w.t, got, want) {
		w.t.Errorf("the client got\n%s\nwant\n%s", got, want)
	}
}

// Closes reads the next frame, which must be a Close, and compares code and reason; then the server must close TCP.
func (w *Websocket) Closes(code int, reason string) {
	w.t.Helper()
	opcode, payload := w.Frame()
	if opcode != OpClose || len(payload) < 2 {
		w.t.Fatalf("got a frame with opcode %d and %q instead of Close %d", opcode, payload, code)
	}
	if got := int(binary.BigEndian.Uint16([]byte(payload))); got != code || payload[2:] != reason {
		w.t.Errorf("closed with %d %q, want %d %q", got, payload[2:], code, reason)
	}
	// The client's half of the close handshake; the server may be gone already.
	_, _ = w.Write(frame(OpClose, []byte(payload[:2])))
	w.Closed()
}

// SendText sends a text frame.
func (w *Websocket) SendText(payload string) { w.t.Helper(); w.SendFrame(OpText, payload) }

// SendFrame sends a final masked frame.
func (w *Websocket) SendFrame(opcode int, payload string) {
	w.t.Helper()
	w.Send(string(frame(opcode, []byte(payload))))
}

// frame makes a final masked frame.
func frame(opcode int, payload []byte) []byte {
	b := []byte{0x80 | byte(opcode)}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = append(b, 0x80|127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// SameJSON compares two JSON texts as values.
func SameJSON(t testing.TB, got, want string) bool {
	t.Helper()
	var values [2]string
	for i, text := range []string{got, want} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Errorf("%q is no JSON: %v", text, err)
			return false
		}
		canonical, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		values[i] = string(canonical)
	}
	return values[0] == values[1]
}

// Gorilla connects with the websocket library that real Go clients use.
func Gorilla(t testing.TB, addr, target string, header http.Header) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{Subprotocol}, HandshakeTimeout: Patience, NetDial: net.Dial}
	conn, response, err := dialer.Dial("ws://"+addr+"/"+strings.TrimPrefix(target, "/"), header)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
