package replica

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// end is a copy's place in the queue of ends: at is when something is due for its document, in Unix milliseconds. A
// copy has one at most and takes it out when it is dropped, so that the queue is never longer than there are copies.
type end struct {
	at  int64 // written under the lock of the namespace and that of the queue
	doc names.Doc
	pos int // in the queue's list, whose lock guards it; -1: it is not there
}

// queueEnd has the Set come back to a document at a time, unless it does so earlier anyway; 0: never. The caller holds
// the namespace's lock, as for all of this kind.
func (n *namespace) queueEnd(doc names.Doc, v *version, at int64) {
	if at != 0 && (v.end == nil || at < v.end.at) {
		n.requeueEnd(doc, v, at)
	}
}

// requeueEnd has the Set come back to a document at that time and no other; 0: never.
func (n *namespace) requeueEnd(doc names.Doc, v *version, at int64) {
	if at == 0 {
		n.unqueueEnd(v)
		return
	}
	if v.end == nil {
		v.end = &end{doc: doc, pos: -1}
	}
	n.set.ends.put(v.end, at)
}

// unqueueEnd takes a copy's place in the queue back.
func (n *namespace) unqueueEnd(v *version) {
	if v.end != nil {
		n.set.ends.remove(v.end)
		v.end = nil
	}
}

// ends is the queue of them: one timer for all keys of a Set.
type ends struct {
	mu   sync.Mutex // guards list; no other is taken under it
	list endHeap
	wake chan struct{}
}

func newEnds() *ends { return &ends{wake: make(chan struct{}, 1)} }

// put has x come at a time, whether it is in the queue or not.
func (e *ends) put(x *end, at int64) {
	e.mu.Lock()
	x.at = at
	if x.pos < 0 {
		heap.Push(&e.list, x)
	} else {
		heap.Fix(&e.list, x.pos)
	}
	first := x.pos == 0
	e.mu.Unlock()
	if first {
		poke(e.wake)
	}
}

// remove takes x out, if it is in the queue.
func (e *ends) remove(x *end) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if x.pos >= 0 {
		heap.Remove(&e.list, x.pos)
	}
}

// due takes out the documents that are due, and tells when the next is; 0: none.
func (e *ends) due(now int64) (out []names.Doc, next int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.list) > 0 && e.list[0].at <= now {
		out = append(out, heap.Pop(&e.list).(*end).doc)
	}
	if len(e.list) > 0 {
		next = e.list[0].at
	}
	return out, next
}

// keepEnds hides keys when they end, until ctx does.
func (s *Set) keepEnds(ctx context.Context) {
	for {
		docs, next := s.ends.due(s.nowMs())
		for _, doc := range docs {
			if n := s.namespaceOf(doc.Namespace, false); n != nil {
				n.expire(doc, s.nowMs())
				n.release()
			}
		}
		var timer <-chan time.Time
		if next != 0 {
			timer = time.After(time.Duration(max(next-s.nowMs(), 1)) * time.Millisecond)
		}
		select {
		case <-timer:
		case <-s.ends.wake:
		case <-ctx.Done():
			return
		}
	}
}

// poke leaves one token in a channel.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

type endHeap []*end

func (h endHeap) Len() int           { return len(h) }
func (h endHeap) Less(i, j int) bool { return h[i].at < h[j].at }

func (h endHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h *endHeap) Push(x any) {
	e := x.(*end)
	e.pos = len(*h)
	*h = append(*h, e)
}

func (h *endHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	x.pos = -1
	(*h)[last] = nil
	*h = (*h)[:last]
	return x
}
