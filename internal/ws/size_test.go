package ws

import (
	"testing"
	"unsafe"
)

// TestSize guards the budget of an idle connection: growing over a size class of the allocator is a decision.
func TestSize(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(Conn{}); n > 480 {
		t.Errorf("a Conn has %d bytes, want at most 480", n)
	}
	t.Logf("Conn %d, parser %d, outbox %d, life %d", unsafe.Sizeof(Conn{}), unsafe.Sizeof(parser{}), unsafe.Sizeof(outbox{}), unsafe.Sizeof(life{}))
}
