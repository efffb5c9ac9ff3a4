package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
)

// decodeAll decodes a whole body that comes in pieces of step bytes; rest is what follows it.
func decodeAll(b body, in []byte, step int) (data, rest []byte, err error) {
	var have []byte
	for len(in) > 0 || len(have) > 0 {
		n := min(step, len(in))
		have = append(have, in[:n]...)
		in = in[n:]
		for !b.done {
			p, used, err := b.next(have)
			if err != nil {
				return data, nil, err
			}
			data = append(data, p...)
			have = have[used:]
			if used == 0 {
				break
			}
		}
		if b.done {
			return data, append(have, in...), nil
		}
		if len(in) == 0 {
			return data, have, io.ErrUnexpectedEOF
		}
	}
	return data, nil, io.ErrUnexpectedEOF
}

func TestChunked(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, data, rest string }{
		{"0\r\n\r\n", "", ""},
		{"3\r\nabc\r\n0\r\n\r\nnext", "abc", "next"},
		{"3;ext=\"x\"\r\nabc\r\n00A \r\n0123456789\r\n0 ; y\r\nTrailer: 1\r\n\r\n", "abc0123456789", ""},
	}
	for _, tt := range tests {
		for step := 1; step <= len(tt.in); step++ {
			data, rest, err := decodeAll(body{kind: bodyChunked}, []byte(tt.in), step)
			if err != nil || string(data) != tt.data || string(rest) != tt.rest {
				t.Errorf("%q by %d: %q, rest %q, %v", tt.in, step, data, rest, err)
			}
		}
		b := body{kind: bodyChunked}
		buf := []byte(tt.in)
		n, used, err := b.gather(buf)
		if err != nil || !b.done || string(buf[:n]) != tt.data || used != len(tt.in)-len(tt.rest) {
			t.Errorf("gathering %q: %q, %d used, %v", tt.in, buf[:n], used, err)
		}
	}
}

func TestChunkedRefused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"\r\n", "x\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\na\r\n", "1 x\r\na\r\n", "1\na\r\n", "1\r\nab\r\n", "1\r\na\n", "1\r\na\rx\r\n",
		"1000000000000000\r\n", "1;a\rb\r\n", strings.Repeat("0", maxChunkLine+1),
		"0\r\n" + strings.Repeat("A: b\r\n", maxTrailerBytes/6+1) + "\r\n",
	} {
		if _, _, err := decodeAll(body{kind: bodyChunked}, []byte(in), len(in)); err == nil || err == io.ErrUnexpectedEOF {
			t.Errorf("%.40q: %v", in, err)
		}
	}
}

// Whatever we decode, the standard library decodes to the same.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), 2)
	f.Add([]byte("A;x\r\n0123456789\r\n0\r\nT: v\r\n\r\nrest"), 100)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		if step < 1 || len(in) > 1<<16 {
			return
		}
		data, _, err := decodeAll(body{kind: bodyChunked}, in, step)
		if err != nil {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bufio.NewReader(bytes.NewReader(in))))
		if err != nil {
			// It bounds the share of extensions, which we need not: ours are bounded one by one.
			if strings.Contains(err.Error(), "too many bytes") || strings.Contains(err.Error(), "too long") {
				return
			}
			t.Fatalf("accepted %q, which the standard library refuses: %v", in, err)
		}
		if !bytes.Equal(data, want) {
			t.Fatalf("%q: got %q, want %q", in, data, want)
		}
	})
}
