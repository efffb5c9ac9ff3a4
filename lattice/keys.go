package lattice

import (
	"iter"
	"slices"
	"strings"

	"github.com/swindon-go/swindon/internal/names"
)

// Keys are keys with their states: a user's private document, or the shared part of an update. The zero Keys are
// empty; a nil pointer may be read. A copy of the struct shares memory with the original: take one with Clone. Not safe
// for use by several goroutines when one of them changes them.
type Keys struct {
	// list is sorted by key. It belongs to these Keys alone; the states share variables with others.
	list []entry
}

type entry struct {
	key   names.Key
	state State
}

func byKey(a, b entry) int { return strings.Compare(string(a.key), string(b.key)) }

// Len is the number of keys, ended ones included.
func (k *Keys) Len() int {
	if k == nil {
		return 0
	}
	return len(k.list)
}

// Get returns a key's state; nil if the key is not there. The state is that of k: it is valid until k changes, and
// must not be changed. Copy it to keep it.
func (k *Keys) Get(key names.Key) *State {
	i, found := k.find(key)
	if !found {
		return nil
	}
	return &k.list[i].state
}

// Put sets the state of a key.
func (k *Keys) Put(key names.Key, s State) {
	i, found := k.find(key)
	if !found {
		k.list = slices.Insert(k.list, i, entry{key: key})
	}
	k.list[i].state = s
}

// Delete removes a key.
func (k *Keys) Delete(key names.Key) {
	if i, found := k.find(key); found {
		k.list = slices.Delete(k.list, i, i+1)
	}
}

func (k *Keys) find(key names.Key) (int, bool) {
	if k == nil {
		return 0, false
	}
	return k.seek(key, 0, max(len(k.list)/2, 1))
}

// seek looks for a key from index at on, as the function seek does, of which it is a faster twin: a merge spends
// much of its time here. It expects the key about stride further on.
func (k *Keys) seek(key names.Key, at, stride int) (int, bool) {
	list, lo, hi, step := k.list, at, at+stride-1, max(stride/4, 1)
	for hi < len(list) {
		c := strings.Compare(string(list[hi].key), string(key))
		if c == 0 {
			return hi, true
		}
		if c > 0 {
			break
		}
		lo, hi = hi+1, hi+step
		step *= 2
	}
	hi = min(hi, len(list))
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		c := strings.Compare(string(list[mid].key), string(key))
		if c == 0 {
			return mid, true
		}
		if c < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, false
}

// All goes through the keys in order, ended ones included. For the states the same holds as for that of Get.
func (k *Keys) All() iter.Seq2[names.Key, *State] {
	return func(yield func(names.Key, *State) bool) {
		if k == nil {
			return
		}
		for i := range k.list {
			if !yield(k.list[i].key, &k.list[i].state) {
				return
			}
		}
	}
}

// Clone returns a copy, which shares only what is never changed: it costs 56 bytes a key.
func (k *Keys) Clone() Keys { return Keys{list: slices.Clone(k.list)} }

// For returns the update d as others have to merge it when Apply has merged it into k, see State.For.
func (k *Keys) For(d *Keys) Keys {
	list := make([]entry, 0, d.Len())
	for key, update := range d.All() {
		if s := k.Get(key); s != nil {
			list = append(list, entry{key, s.For(update)})
		}
	}
	return Keys{list: list}
}

// Equal tells whether both hold the same keys with equal states.
func (k *Keys) Equal(o *Keys) bool {
	return slices.EqualFunc(k.list, o.list, func(a, b entry) bool { return a.key == b.key && a.state.Equal(&b.state) })
}

// Merge joins d into k, key by key as State.Merge does. A key that was not there is growth even when it has no
// variables. Of an ended key whose end moves into the future only the end is returned, although all of it becomes
// visible again.
func (k *Keys) Merge(d *Keys) (grown Keys, changed bool) {
	return k.each(d, manner{})
}

// Apply merges an update of a backend, key by key as State.Apply does. fresh is the generation of keys that are not
// there: 0, or now where the document has been removed from the store before, so that no copy of it can mix into its
// new life.
func (k *Keys) Apply(d *Keys, now int64, fresh uint64) (grown Keys, changed bool) {
	return k.each(d, manner{update: true, now: now, fresh: fresh})
}

// manner is how states are joined: by Merge, or by Apply at now with new keys in generation fresh.
type manner struct {
	update bool
	now    int64
	fresh  uint64
}

func (m *manner) join(s, d, grown *State) bool {
	if m.update {
		return s.apply(d, m.now, grown)
	}
	return s.merge(d, grown)
}

// each joins the states of d into those of k.
func (k *Keys) each(d *Keys, m manner) (grown Keys, changed bool) {
	if d == nil {
		return Keys{}, false
	}
	var (
		added []entry
		g     State
	)
	at := 0
	for j := range d.list {
		e := &d.list[j]
		i, found := k.seek(e.key, at, max((len(k.list)-at)/(len(d.list)-j), 1))
		at = i
		if found {
			if !m.join(&k.list[i].state, &e.state, &g) {
				continue
			}
		} else {
			own := State{Gen: m.fresh}
			m.join(&own, &e.state, &g)
			g = own
			added = append(added, entry{e.key, own})
		}
		if grown.list == nil {
			grown.list = make([]entry, 0, len(d.list)-j)
		}
		grown.list = append(grown.list, entry{e.key, g})
	}
	if added != nil {
		k.list = weave(k.list, added, len(added), byKey)
	}
	return grown, grown.list != nil
}

// DropEnded forgets the keys that ended EndedKept or longer before now (Unix milliseconds), and tells whether there was
// one. A copy of a stored document may and should forget a minute earlier (now plus a minute) than those who write the
// document: so a key that a writer gives a new life never meets an old copy. Whatever comes from other nodes or
// the store should be cleaned before it is merged.
func (k *Keys) DropEnded(now int64) (dropped bool) {
	n := len(k.list)
	k.list = slices.DeleteFunc(k.list, func(e entry) bool { return e.state.Droppable(now) })
	return len(k.list) < n
}

// End is when the last of the keys ends, in Unix milliseconds; 0 when one of them has no end, or there is none.
func (k *Keys) End() int64 {
	var end int64
	for i := range k.list {
		e := k.list[i].state.End
		if e == 0 {
			return 0
		}
		end = max(end, e)
	}
	return end
}
