package replica

import (
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// recent remembers what the store held of documents that this node wrote a moment ago, so that the next update of one of
// them need not read it first. It is a guess: the compare-and-swap tells when it is wrong, and without one it is not
// believed (see Set.commit). Records of users are left out: they are seldom written twice within a moment.
type recent struct {
	mu sync.Mutex // guards the following; no other is taken under it
	// young is what was put since the last turn, old what was put before; then it is forgotten.
	young, old map[names.Doc]held
	bytes      int         // of the texts of young
	timer      *time.Timer // nil: there is nothing to forget
}

const (
	// Between two turns: a document is remembered for one to two of them.
	recentTurn = time.Second
	// Documents, and bytes of their texts, between two turns; beyond, the turn comes at once.
	recentDocs  = 4096
	recentBytes = 4 << 20
	// Larger documents are not remembered, in bytes of text.
	recentLargest = 64 << 10
)

// put remembers a document; size is that of its text. h belongs to recent afterwards.
func (x *recent) put(d names.Doc, h held, size int) {
	if size > recentLargest || d.Kind == names.RecordDoc {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.young) >= recentDocs || x.bytes+size > recentBytes {
		x.turn()
	}
	if x.young == nil {
		x.young = make(map[names.Doc]held)
	}
	x.young[d] = h
	x.bytes += size
	if x.timer == nil {
		x.timer = time.AfterFunc(recentTurn, x.tick)
	}
}

// take returns a document and forgets it: it belongs to the caller.
func (x *recent) take(d names.Doc) (held, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	h, ok := x.young[d]
	if !ok {
		h, ok = x.old[d]
	}
	x.drop(d)
	return h, ok
}

// heard forgets a document that another node has changed.
func (x *recent) heard(d names.Doc) {
	x.mu.Lock()
	x.drop(d)
	x.mu.Unlock()
}

// drop forgets a document. The caller holds mu.
func (x *recent) drop(d names.Doc) {
	delete(x.young, d)
	delete(x.old, d)
}

// forget forgets everything.
func (x *recent) forget() {
	x.mu.Lock()
	x.young, x.old, x.bytes = nil, nil, 0
	x.mu.Unlock()
}

// turn makes what is young old. The caller holds mu.
func (x *recent) turn() { x.old, x.young, x.bytes = x.young, nil, 0 }

// tick is run by the timer as long as there is something to forget.
func (x *recent) tick() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.turn()
	if x.old == nil {
		x.timer = nil
		return
	}
	x.timer.Reset(recentTurn)
}
