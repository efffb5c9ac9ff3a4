package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// TestNotifiedForgets: notices that this node gave up, or another took over, are not remembered for ever.
func TestNotifiedForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n notified
		d := names.Destination{Name: "main", Path: "/"}
		n.note("given up", d)
		time.Sleep(10 * time.Minute)
		n.note("later", d)
		if !n.has("given up", d) || !n.has("later", d) {
			t.Error("forgotten too early")
		}
		time.Sleep(6 * time.Minute)
		n.note("last", d)
		if n.has("given up", d) || !n.has("later", d) || len(n.done) != 2 {
			t.Errorf("remembered: %v", n.done)
		}
		n.forget("later")
		if n.has("later", d) {
			t.Error("not forgotten")
		}
	})
}
