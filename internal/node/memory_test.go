package node

import "testing"

func TestQuietness(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	var q quietness
	total := uint64(0)
	for i, step := range []struct {
		allocated uint64
		want      bool
	}{
		{30 * mib, false}, // busy
		{1 * mib, true},   // quiet, and there is something to collect
		{1 * mib, false},  // quiet, but that was just done
		{1 * mib, false},
		{50 * mib, false},
		{3 * mib, false}, // not quiet enough
		{0, true},
		{0, false},
	} {
		total += step.allocated
		if got := q.next(total); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
}
