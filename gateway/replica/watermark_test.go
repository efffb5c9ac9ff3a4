package replica

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWatermark(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1000, 0)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	w := watermark{}
	w.advance(10, at(0))
	w.note(11, at(1))
	if _, hole := w.due(); hole || w.low != 11 {
		t.Errorf("without a hole: %+v", w)
	}
	w.note(14, at(2))
	w.note(13, at(3))
	if d, hole := w.due(); !hole || !d.Equal(at(2).Add(holeAge)) || w.low != 11 || w.high != 14 {
		t.Errorf("hole at 12: %+v", w)
	}
	w.note(12, at(4))
	if _, hole := w.due(); hole || w.low != 14 || len(w.above) != 0 {
		t.Errorf("filled: %+v", w)
	}
	w.exists(16, at(5))
	w.note(15, at(6))
	if d, hole := w.due(); !hole || !d.Equal(at(6).Add(holeAge)) {
		t.Errorf("another number is missed: %+v", w)
	}
	w.clamp(15, at(7))
	if _, hole := w.due(); hole {
		t.Errorf("hearsay that is not true: %+v", w)
	}
	w.note(20, at(8))
	w.note(22, at(8))
	w.advance(19, at(9))
	if d, hole := w.due(); !hole || w.low != 20 || !d.Equal(at(9).Add(holeAge)) {
		t.Errorf("advanced: %+v", w)
	}
	w.reset(3)
	if w.low != 3 || w.high != 3 || len(w.above) != 0 {
		t.Errorf("reset: %+v", w)
	}
	for n := uint64(5); n < maxAbove+6; n++ {
		w.note(n, at(10))
	}
	if d, _ := w.due(); !w.full || !d.Equal(at(10)) || len(w.above) > maxAbove {
		t.Errorf("too many above: full %v, due %v, %d", w.full, d, len(w.above))
	}
}

// TestWatermarkTwin compares with a twin that keeps every number.
func TestWatermarkTwin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var w watermark
		known := map[uint64]bool{}
		var high uint64
		for _, n := range rapid.SliceOf(rapid.Uint64Range(1, 30)).Draw(t, "numbers") {
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				w.exists(n, time.Unix(1, 0))
			case 1:
				w.advance(n, time.Unix(1, 0))
				for i := range n {
					known[i+1] = true
				}
			default:
				w.note(n, time.Unix(1, 0))
				known[n] = true
			}
			high = max(high, n)
			low := uint64(0)
			for known[low+1] {
				low++
			}
			if _, hole := w.due(); w.low != low || w.high != max(high, low) || hole != (w.high > low) {
				t.Fatalf("low %d, high %d, hole %v; twin %d, %d", w.low, w.high, hole, low, high)
			}
			for n := range w.above {
				if n <= low || !known[n] {
					t.Fatalf("%d above %d", n, low)
				}
			}
		}
	})
}
