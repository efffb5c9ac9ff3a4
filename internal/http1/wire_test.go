package http1_test

import (
	"bytes"
	"testing"
)

// Whatever is sent, in whatever two pieces, is answered as net/http alone would: what is refused, where a request ends
// and the next one begins, and what is handed over. It is TestMessages for bytes that nobody has thought of.
func FuzzMessages(f *testing.F) {
	for _, text := range messages {
		if request := wire(text); len(request) < 300 {
			f.Add([]byte(request), uint16(len(request)/2))
		}
	}
	ours, theirs := start(f, true, limits, describe), start(f, false, limits, describe)
	f.Fuzz(func(t *testing.T, in []byte, at uint16) {
		for _, empty := range []string{"\n\r\n\r", "\n\r\n\n", "\n\n\r", "\n\n\n"} {
			if bytes.Contains(in, []byte(empty)) {
				return // empty lines before a request are dropped by us only
			}
		}
		if len(bytes.Trim(in, "\r\n")) == 0 && bytes.HasSuffix(in, []byte("\r")) {
			return // half an empty line and no request: we answer 400, the other closes
		}
		cut := min(int(at), len(in))
		var got, want string
		for range 5 { // an answer that ends with a reset may come in part
			want = normal(theirs.exchange(t, string(in), ""))
			got = normal(ours.exchange(t, string(in[:cut]), string(in[cut:])))
			if got == want {
				return
			}
		}
		t.Errorf("%q in parts of %d and %d\n got %q\nwant %q", in, cut, len(in)-cut, got, want)
	})
}
