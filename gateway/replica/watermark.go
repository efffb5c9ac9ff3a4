package replica

import "time"

// watermark knows which sequence numbers have been heard of: all up to low, and those in above. It is pure; its owner
// locks.
type watermark struct {
	// low: every number up to it is known.
	low uint64
	// above are known numbers over low+1.
	above map[uint64]struct{}
	// high is the highest number known to exist, also from hearsay.
	high uint64
	// since is when the present hole, the number low+1, was first missed; zero when there is none.
	since time.Time
	// full says that above has reached its bound, so that the hole must be read at once.
	full bool
}

// note takes a number that is known now.
func (w *watermark) note(n uint64, now time.Time) {
	switch {
	case n <= w.low:
		return
	case n == w.low+1:
		w.low = n
		w.absorb()
		w.since = time.Time{}
	case len(w.above) >= maxAbove:
		w.full = true
	default:
		if w.above == nil {
			w.above = make(map[uint64]struct{})
		}
		w.above[n] = struct{}{}
	}
	w.exists(n, now)
}

// exists takes a number that somebody says exists.
func (w *watermark) exists(n uint64, now time.Time) {
	w.high = max(w.high, n, w.low)
	if w.high > w.low && w.since.IsZero() {
		w.since = now
	}
}

// advance says that everything up to n is known.
func (w *watermark) advance(n uint64, now time.Time) {
	if n <= w.low {
		return
	}
	w.low = n
	for k := range w.above {
		if k <= n {
			delete(w.above, k)
		}
	}
	w.full = false
	w.absorb()
	w.since = time.Time{}
	w.exists(n, now)
}

// clamp says that end is the last number there is at the moment: hearsay beyond it is forgotten.
func (w *watermark) clamp(end uint64, now time.Time) {
	w.high = max(w.low, end)
	for n := range w.above {
		w.high = max(w.high, n)
	}
	if w.high == w.low {
		w.since = time.Time{}
	}
	w.exists(w.high, now)
}

// reset forgets everything: from now on numbers begin again behind n.
func (w *watermark) reset(n uint64) { *w = watermark{low: n, high: n} }

func (w *watermark) absorb() {
	for len(w.above) > 0 {
		if _, ok := w.above[w.low+1]; !ok {
			return
		}
		delete(w.above, w.low+1)
		w.low++
	}
}

// due is when the present hole must be read; false when there is none.
func (w *watermark) due() (time.Time, bool) {
	switch {
	case w.since.IsZero():
		return time.Time{}, false
	case w.full:
		return w.since, true
	}
	return w.since.Add(holeAge), true
}
