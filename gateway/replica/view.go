package replica

import (
	"slices"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// View is what one user sees of one namespace on this node: the keys of the user's private document, each overlaid with
// its shared variables (protocol §8.4). It is kept current as long as it is open. Get it from Set.Open, give it back with
// Close. All methods may be called concurrently.
type View struct {
	ns   *namespace
	user names.UserID

	// Everything below is guarded by ns.mu.
	doc *privateCopy
	// refs are the Opens without a Close; idle says since when there are none.
	refs int
	idle int64
	// open says that everything visible is loaded, so that changes are told.
	open     bool
	watchers []Watcher
	// held are changes that wait for newly visible keys to be loaded, in their order.
	held []*heldChange
	// loading is what the Opens wait for; nil when the view is open.
	loading *loading
}

// loading is one load of a view; err is set before done is closed.
type loading struct {
	done chan struct{}
	err  error
}

// heldChange is a change that waits; done is closed when it has been delivered, or is not needed any more.
type heldChange struct {
	pending
	// whole says that too much waited: the view gets its whole state instead.
	whole bool
	done  chan struct{}
	// also are those whose part in the whole state this change has taken over.
	also []chan struct{}
}

func (h *heldChange) end() {
	close(h.done)
	for _, d := range h.also {
		close(d)
	}
}

// Attach hands the whole visible state to first, which may be nil, as a JSON object that must not be kept, and from
// then on every change to w. Nothing is lost or told twice in between: both happen under the view's lock, so first must
// queue a frame and do nothing else. A watcher that is attached already gets only the snapshot.
func (v *View) Attach(w Watcher, first func(snapshot []byte)) {
	v.ns.mu.Lock()
	defer v.ns.mu.Unlock()
	if first != nil {
		first(v.appendSnapshot(nil, v.ns.set.nowMs()))
	}
	if !slices.Contains(v.watchers, w) {
		v.watchers = append(v.watchers, w)
	}
}

// Detach ends what Attach began. When it returns, w is not called any more.
func (v *View) Detach(w Watcher) {
	v.ns.mu.Lock()
	defer v.ns.mu.Unlock()
	if i := slices.Index(v.watchers, w); i >= 0 {
		v.watchers = slices.Delete(v.watchers, i, i+1)
	}
}

// Snapshot appends the whole visible state as a JSON object (protocol §8.5).
func (v *View) Snapshot(dst []byte) []byte {
	v.ns.mu.Lock()
	defer v.ns.mu.Unlock()
	return v.appendSnapshot(dst, v.ns.set.nowMs())
}

// Close gives an Open back. The view is kept for a grace of 10 s, in case somebody looks again.
func (v *View) Close() {
	v.ns.mu.Lock()
	v.refs--
	last := v.refs == 0
	if last {
		v.idle = v.ns.set.nowMs()
	}
	v.ns.mu.Unlock()
	if last {
		v.ns.set.idle.add(v)
	}
}

// appendSnapshot appends the visible state. The caller holds the lock, as for all that follow.
func (v *View) appendSnapshot(dst []byte, now int64) []byte {
	dst = append(dst, '{')
	for k, st := range v.doc.keys.All() {
		if !st.Ended(now) {
			dst = v.appendKey(appendKey(dst, k), k, now)
		}
	}
	return append(dst, '}')
}

// appendKey appends all that the user sees of a key.
func (v *View) appendKey(dst []byte, k names.Key, now int64) []byte {
	return lattice.AppendVisible(dst, v.doc.keys.Get(k), v.ns.sharedState(k, now))
}

// seen picks those shared keys that the user sees.
func (v *View) seen(all []sharedGrowth) (out []sharedGrowth) {
	for i := range all {
		if _, ok := all[i].copy.viewers[v]; ok {
			out = append(out, all[i])
		}
	}
	return out
}

func (v *View) changed(c *Change) {
	for _, w := range v.watchers {
		w.Changed(c)
	}
}

// take delivers a change, or holds it when keys of it must be loaded first, or others wait before it.
func (v *View) take(p *pending, now int64) *heldChange {
	if len(v.held) == 0 && !v.lacks(p.fresh) {
		v.give(p, now)
		return nil
	}
	h := &heldChange{pending: *p, done: make(chan struct{})}
	v.ns.set.metrics.held.Add(1)
	if len(v.held) >= maxHeld {
		// All that waits is replaced by the whole state.
		v.ns.set.metrics.heldBack.Add(1)
		for _, old := range v.held {
			h.fresh = append(h.fresh, old.fresh...)
			h.also = append(append(h.also, old.also...), old.done)
		}
		v.held, h.whole = nil, true
	}
	v.held = append(v.held, h)
	v.ns.set.loader.keys(v.ns.name, v.lacking(h.fresh))
	return h
}

func (v *View) give(p *pending, now int64) {
	if len(v.watchers) == 0 {
		return
	}
	if data := p.appendTo(nil, v, now); len(data) > 0 {
		v.changed(&Change{Namespace: v.ns.name, Data: data, Anew: p.begun()})
	}
}

// lacks tells whether one of some keys is visible but not loaded yet.
func (v *View) lacks(keys []names.Key) bool {
	for _, k := range keys {
		if c := v.ns.shared[k]; c != nil && !c.loaded {
			if _, ok := c.viewers[v]; ok {
				return true
			}
		}
	}
	return false
}

func (v *View) lacking(keys []names.Key) (out []names.Key) {
	for _, k := range keys {
		if v.lacks([]names.Key{k}) {
			out = append(out, k)
		}
	}
	return out
}

// unhold delivers what has waited and need not any more.
func (v *View) unhold(now int64) {
	for len(v.held) > 0 && !v.lacks(v.held[0].fresh) {
		h := v.held[0]
		v.held = v.held[1:]
		if h.whole {
			v.changed(&Change{Namespace: v.ns.name, Data: v.appendSnapshot(nil, now), Whole: true})
		} else {
			v.give(&h.pending, now)
		}
		h.end()
	}
	if len(v.held) == 0 {
		v.held = nil
	}
}
