package wire

import (
	"strings"
	"testing"
)

func TestEventNames(t *testing.T) {
	t.Parallel()
	for e, want := range map[Event]string{
		Hello: "hello", Result: "result", Error: "error", Message: "message", Lattice: "lattice", FatalError: "fatal_error", 0: "unknown", 99: "unknown",
	} {
		if got := e.String(); got != want {
			t.Errorf("%d: %q, want %q", int(e), got, want)
		}
		if want != "unknown" {
			frame := string(Frame(e, []byte("{}"), []byte("1")).AppendText(nil))
			if !strings.HasPrefix(frame, `["`+want+`",{},1]`) {
				t.Errorf("%s: %s", want, frame)
			}
		}
	}
}
