package testkit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// WantStatuses fails unless the next frame tells exactly these users' statuses, "ann active, bob offline", with versions
// that are times of today.
func WantStatuses(t testing.TB, w *Websocket, want string) {
	t.Helper()
	text := w.Text()
	var frame []json.RawMessage
	var meta struct {
		Namespace string `json:"namespace"`
	}
	var data map[string]struct {
		Status []any `json:"status_register"`
	}
	if json.Unmarshal([]byte(text), &frame) != nil || len(frame) != 3 || string(frame[0]) != `"lattice"` ||
		json.Unmarshal(frame[1], &meta) != nil || meta.Namespace != "swindon.user" || json.Unmarshal(frame[2], &data) != nil {
		t.Fatalf("%s is no presence frame", text)
	}
	var got []string
	for user, s := range data {
		if len(s.Status) != 2 {
			t.Fatalf("%s: the register of %s", text, user)
		}
		got = append(got, fmt.Sprintf("%s %v", user, s.Status[1]))
		version, _ := s.Status[0].(float64)
		if age := time.Since(time.UnixMilli(int64(version))); age < -time.Minute || age > time.Hour || version != float64(int64(version)) {
			t.Errorf("%s: version %v", text, s.Status[0])
		}
	}
	slices.Sort(got)
	if list := strings.Join(got, ", "); list != want {
		t.Errorf("told %q, want %q", list, want)
	}
}

// SendClose ends a connection in order.
func SendClose(w *Websocket) {
	w.t.Helper()
	w.SendFrame(OpClose, "\x03\xe8")
}
