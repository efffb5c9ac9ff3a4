package ws

import (
	"testing"
	"unsafe"
)

// TestSize guards the budget of an idle connection: growing over a size class of the allocator is a decision.
func TestSize(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(Conn{}); n > 416 {
		t.Errorf("a Conn has %d bytes, want at most 416", n)
	}
}
