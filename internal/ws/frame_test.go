package ws

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFrameHeader(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		n      int
		header string
	}{
		{0, "\x81\x00"},
		{1, "\x81\x01"},
		{125, "\x81\x7d"},
		{126, "\x81\x7e\x00\x7e"},
		{65535, "\x81\x7e\xff\xff"},
		{65536, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
	} {
		payload := bytes.Repeat([]byte("x"), tc.n)
		want := tc.header + string(payload)
		half := tc.n / 2
		for name, f := range map[string]Frame{
			"NewText":  NewText(payload),
			"NewFrame": NewFrame(OpText, payload),
			"Text":     Text(payload[:half], nil, payload[half:]),
		} {
			if f.wire != want {
				t.Errorf("%s of %d bytes is wrong: starts with %q", name, tc.n, f.wire[:min(12, len(f.wire))])
			}
			if f.Len() != len(want) {
				t.Errorf("%s: Len = %d, want %d", name, f.Len(), len(want))
			}
		}
	}
}

func TestFrameIsOneAllocation(t *testing.T) {
	a, b := []byte(`["message",{"topic":"x"},`), []byte(`{"text":"hello"}]`)
	if n := testing.AllocsPerRun(100, func() { sink = Text(a, b) }); n != 1 {
		t.Errorf("Text: %v allocations, want 1", n)
	}
	if n := testing.AllocsPerRun(100, func() { sink = NewText(a) }); n != 1 {
		t.Errorf("NewText: %v allocations, want 1", n)
	}
}

var sink Frame

func TestFrameDoesNotAlias(t *testing.T) {
	t.Parallel()
	p := []byte("abc")
	f := NewText(p)
	p[0] = 'x'
	if f.wire != "\x81\x03abc" {
		t.Errorf("frame changed with its payload: %q", f.wire)
	}
}

func TestCloseFrame(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code         int
		reason, want string
	}{
		{1000, "", "\x88\x02\x03\xe8"},
		{4403, "backend_error", "\x88\x0f\x11\x33backend_error"},
		{CodeNoStatus, "x", "\x88\x00"},
		{CodeAbnormal, "", "\x88\x00"},
		{1000, strings.Repeat("a", 123), "\x88\x7d\x03\xe8" + strings.Repeat("a", 123)},
		{1000, strings.Repeat("a", 200), "\x88\x7d\x03\xe8" + strings.Repeat("a", 123)},
		{1000, strings.Repeat("a", 122) + "é", "\x88\x7c\x03\xe8" + strings.Repeat("a", 122)},
	} {
		if got := closeFrame(tc.code, tc.reason).wire; got != tc.want {
			t.Errorf("closeFrame(%d, %q) = %q, want %q", tc.code, tc.reason, got, tc.want)
		}
	}
	for n := range 130 {
		if r := cutReason(strings.Repeat("é", n)); !utf8.ValidString(r) || len(r) > 123 {
			t.Errorf("cutReason of %d characters: %q", n, r)
		}
	}
}

func TestControlPayloadIsCut(t *testing.T) {
	t.Parallel()
	if f := NewFrame(OpPong, make([]byte, 200)); f.Len() != 127 {
		t.Errorf("pong of 200 bytes has %d bytes, want 127", f.Len())
	}
}
