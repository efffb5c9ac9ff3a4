package ws

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gorilla/websocket"
	"pgregory.net/rapid"
)

// clientFrame builds a frame as a client sends it, masked.
func clientFrame(b0 byte, payload []byte) []byte {
	b := []byte{b0}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, maskBit|byte(n))
	case n <= 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, maskBit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, maskBit|127), uint64(n))
	}
	key := [4]byte{0x1f, 0x2e, 0x3d, 0x4c}
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, payload...)
	for i := range payload {
		b[at+i] ^= key[i%4]
	}
	return b
}

func masked(op Opcode, payload string) []byte {
	return clientFrame(finBit|byte(op), []byte(payload))
}

func fragment(op Opcode, payload string) []byte { return clientFrame(byte(op), []byte(payload)) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// parse feeds data in pieces of the given size and returns what came out, and the code of the error or 0.
func parse(data []byte, piece int, limit int64) (got []string, code int) {
	p := parser{limit: limit, pool: &sync.Pool{}}
	data = bytes.Clone(data)
	for len(data) > 0 {
		n := min(piece, len(data))
		err := p.feed(data[:n], func(op Opcode, payload []byte) error {
			got = append(got, fmt.Sprintf("%d:%s", op, payload))
			return nil
		})
		if err != nil {
			var e *CloseError
			if !errors.As(err, &e) {
				return got, -1
			}
			return got, e.Code
		}
		data = data[n:]
	}
	return got, 0
}

func TestParser(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 7000)
	for _, tc := range []struct {
		name string
		data []byte
		want []string
		code int
	}{
		{"text", masked(OpText, "hello"), []string{"1:hello"}, 0},
		{"empty text", masked(OpText, ""), []string{"1:"}, 0},
		{"binary", masked(OpBinary, "\x00\xff"), []string{"2:\x00\xff"}, 0},
		{"16-bit length", masked(OpText, long[:300]), []string{"1:" + long[:300]}, 0},
		{"64-bit length", masked(OpText, long), []string{"1:" + long}, 0},
		{"two messages", join(masked(OpText, "a"), masked(OpText, "b")), []string{"1:a", "1:b"}, 0},
		{"fragments", join(fragment(OpText, "he"), fragment(opContinuation, "ll"), masked(opContinuation, "o")), []string{"1:hello"}, 0},
		{"fragments of nothing", join(fragment(OpText, ""), masked(opContinuation, "")), []string{"1:"}, 0},
		{"binary fragments", join(fragment(OpBinary, "a"), masked(opContinuation, "b"), masked(OpText, "c")), []string{"2:ab", "1:c"}, 0},
		{
			"control frames between fragments",
			join(fragment(OpText, "he"), masked(OpPing, "p"), masked(OpPong, ""), masked(opContinuation, "llo")),
			[]string{"9:p", "10:", "1:hello"},
			0,
		},
		{"close between fragments", join(fragment(OpText, "he"), masked(OpClose, "\x03\xe8")), []string{"8:\x03\xe8"}, 0},
		{"longest control", masked(OpPing, long[:125]), []string{"9:" + long[:125]}, 0},

		{"unmasked", []byte("\x81\x01a"), nil, CodeProtocol},
		{"RSV1", clientFrame(0xC1, nil), nil, CodeProtocol},
		{"RSV2", clientFrame(0xA1, nil), nil, CodeProtocol},
		{"RSV3", clientFrame(0x91, nil), nil, CodeProtocol},
		{"opcode 3", clientFrame(0x83, nil), nil, CodeProtocol},
		{"opcode 7", clientFrame(0x87, nil), nil, CodeProtocol},
		{"opcode 11", clientFrame(0x8B, nil), nil, CodeProtocol},
		{"opcode 15", clientFrame(0x8F, nil), nil, CodeProtocol},
		{"fragmented ping", clientFrame(0x09, nil), nil, CodeProtocol},
		{"long ping", clientFrame(0x89, make([]byte, 126)), nil, CodeProtocol},
		{"continuation of nothing", masked(opContinuation, "a"), nil, CodeProtocol},
		{"continuation after the end", join(masked(OpText, "a"), masked(opContinuation, "b")), []string{"1:a"}, CodeProtocol},
		{"message within a message", join(fragment(OpText, "a"), masked(OpText, "b")), nil, CodeProtocol},
		{"length with the top bit", []byte("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00aaaa"), nil, CodeProtocol},
		{"too big", []byte("\x81\xff\x00\x00\x00\x00\x00\x01\x86\xa1aaaa"), nil, CodeTooBig},
		{"largest length", []byte("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffaaaa"), nil, CodeTooBig},
		{"too big in fragments", join(fragment(OpText, long), masked(opContinuation, long)), nil, CodeTooBig},
		{"good ones before a bad one", join(masked(OpText, "a"), masked(OpPing, "b"), []byte{0xFF, 0xFF}), []string{"1:a", "9:b"}, CodeProtocol},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{1, 2, 3, 7, 13, 14, 15, 4096, len(tc.data)} {
				got, code := parse(tc.data, piece, 100_000)
				if diff := cmp.Diff(tc.want, got); diff != "" || code != tc.code {
					t.Fatalf("in pieces of %d: code %d, want %d; messages %.200s", piece, code, tc.code, diff)
				}
			}
		})
	}
}

func TestParserLimitIsExact(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{99: 0, 100: 0, 101: CodeTooBig} {
		if _, code := parse(masked(OpText, strings.Repeat("x", n)), 16, 100); code != want {
			t.Errorf("%d bytes of 100: code %d, want %d", n, code, want)
		}
	}
	// Control frames do not count, even in the middle of a message.
	if _, code := parse(join(fragment(OpText, "12345678"), masked(OpPing, "12345678"), masked(opContinuation, "90")), 5, 10); code != 0 {
		t.Errorf("a ping was counted: code %d", code)
	}
}

// TestParserKeepsNoMore holds the memory that a header alone can claim.
func TestParserKeepsNoMore(t *testing.T) {
	t.Parallel()
	p := parser{limit: 10 << 20}
	head := []byte("\x81\xff\x00\x00\x00\x00\x00\xa0\x00\x00aaaax")
	if err := p.feed(head, nil); err != nil {
		t.Fatal(err)
	}
	if cap(p.msg) > 128<<10 {
		t.Errorf("a header of 14 bytes made the parser hold %d bytes", cap(p.msg))
	}
}

// TestParserPieces is the property that pieces make no difference.
func TestParserPieces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var data []byte
		for range rapid.IntRange(1, 8).Draw(t, "frames") {
			b0 := rapid.SampledFrom([]byte{0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1, 0x83}).Draw(t, "start")
			data = append(data, clientFrame(b0, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"))...)
		}
		wantMsgs, wantCode := parse(data, len(data), 500)
		got, code := parse(data, rapid.IntRange(1, 40).Draw(t, "piece"), 500)
		if diff := cmp.Diff(wantMsgs, got); diff != "" || code != wantCode {
			t.Fatalf("code %d, want %d: %s", code, wantCode, diff)
		}
	})
}

// FuzzParser compares with gorilla's reader: the same messages, and an error where gorilla has one. No input may panic
// or give a code that is not documented.
func FuzzParser(f *testing.F) {
	for _, seed := range [][]byte{
		masked(OpText, "hello"), masked(OpBinary, "\x00"), masked(OpClose, "\x03\xe8bye"), masked(OpPing, "x"),
		join(fragment(OpText, "a"), masked(OpPing, ""), masked(opContinuation, "b")),
		[]byte("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffaaaa"),
		{0x81},
		{},
	} {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		const limit = 1000
		got, code := parse(data, int(piece)+1, limit)
		switch code {
		case 0, CodeProtocol, CodeTooBig:
		default:
			t.Fatalf("undocumented code %d", code)
		}
		// Gorilla stops at a Close, and checks its payload, which is not the parser's business.
		i := slices.IndexFunc(got, func(m string) bool { return strings.HasPrefix(m, "8:") })
		closed := i >= 0
		if closed {
			got = got[:i]
		}
		want, failed := parseWithGorilla(data, limit)
		if !closed && failed != (code != 0) {
			t.Fatalf("code %d, gorilla failed: %v", code, failed)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// parseWithGorilla returns what gorilla reads from data up to the first Close or error, and whether there was an error.
func parseWithGorilla(data []byte, limit int64) (got []string, failed bool) {
	c := gorillaConn(data)
	c.SetReadLimit(limit)
	c.SetPingHandler(func(p string) error { got = append(got, "9:"+p); return nil })
	c.SetPongHandler(func(p string) error { got = append(got, "10:"+p); return nil })
	for {
		op, r, err := c.NextReader()
		if err == nil {
			var p []byte
			if p, err = io.ReadAll(r); err == nil {
				got = append(got, fmt.Sprintf("%d:%s", op, p))
				continue
			}
		}
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || websocket.IsCloseError(err, websocket.CloseAbnormalClosure)
		return got, !ended
	}
}

// gorillaConn is a server's end of a gorilla connection that reads data.
func gorillaConn(data []byte) *websocket.Conn {
	s := &shaker{Conn: readConn{bytes.NewReader(data)}}
	up := websocket.Upgrader{CheckOrigin: nil, ReadBufferSize: 512}
	c, err := up.Upgrade(s, handshake(), nil)
	if err != nil {
		panic(err)
	}
	return c
}

type readConn struct{ r io.Reader }

func (c readConn) Read(p []byte) (int, error)     { return c.r.Read(p) }
func (readConn) Write(p []byte) (int, error)      { return len(p), nil }
func (readConn) Close() error                     { return nil }
func (readConn) LocalAddr() net.Addr              { return nil }
func (readConn) RemoteAddr() net.Addr             { return nil }
func (readConn) SetDeadline(time.Time) error      { return nil }
func (readConn) SetReadDeadline(time.Time) error  { return nil }
func (readConn) SetWriteDeadline(time.Time) error { return nil }

func TestUnmask(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "data")
		key := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "key"))
		cut := rapid.IntRange(0, len(data)).Draw(t, "cut")
		want := bytes.Clone(data)
		for i := range want {
			want[i] ^= key[i%4]
		}
		got := bytes.Clone(data)
		unmask(got[cut:], unmask(got[:cut], key))
		if !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}
