package wsclient

import (
	"bytes"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	short := append([]byte{0x81, 5}, "hello"...)
	long := append([]byte{0x81, 126, 0, 200}, bytes.Repeat([]byte{'x'}, 200)...)
	for _, test := range []struct {
		name    string
		in      []byte
		payload string
	}{
		{"short", short, "hello"},
		{"followed by another", append(bytes.Clone(short), 0x81), "hello"},
		{"extended length", long, string(bytes.Repeat([]byte{'x'}, 200))},
	} {
		opcode, payload, size := parse(test.in)
		if opcode != Text || string(payload) != test.payload || size == 0 {
			t.Errorf("%s: parse = %d, %q, %d", test.name, opcode, payload, size)
		}
	}
	for cut := range long {
		if _, _, size := parse(long[:cut]); size != 0 {
			t.Errorf("parse found a frame in the first %d bytes", cut)
		}
	}
}

func TestAppendFrame(t *testing.T) {
	t.Parallel()
	got := AppendFrame(nil, Text, []byte("hi"))
	if want := []byte{0x81, 0x82, 0, 0, 0, 0, 'h', 'i'}; !bytes.Equal(got, want) {
		t.Errorf("AppendFrame = %v, want %v", got, want)
	}
	if got := AppendFrame(nil, Text, make([]byte, 300)); got[1] != 0xfe || got[2] != 1 || got[3] != 44 {
		t.Errorf("head of a longer frame = %v", got[:4])
	}
}
