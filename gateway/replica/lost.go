package replica

import (
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// lost is called when the store's last sequence is below what this node knows: the store was emptied or restored. Its
// numbers begin again, and the nodes write back what they have (nats.md §4.3).
func (s *Set) lost(end uint64, now time.Time) {
	s.metrics.lost.Add(1)
	s.markMu.Lock()
	low := s.mark.low
	s.mark.reset(end)
	s.target, s.targetAt, s.synced, s.gap = 0, time.Time{}, now, false
	s.markMu.Unlock()
	s.counts.forget()
	s.recent.forget()
	s.fresh.forget()
	count := 0
	for _, n := range s.all() {
		n.mu.Lock()
		for k, p := range n.shared {
			if p.forgetVersion(); !p.state.Empty() || p.state.End != 0 {
				count++
				s.dirty.back(names.SharedOf(n.name, k), &content{shared: p.state})
			}
		}
		for u, p := range n.private {
			if p.forgetVersion(); p.keys.Len() > 0 {
				count++
				s.dirty.back(names.PrivateOf(n.name, u), &content{private: p.keys.Clone()})
			}
		}
		n.mu.Unlock()
	}
	count += s.own.writeBack(s.dirty, s.deps.RestoreRecords)
	s.log.Warn("The store was emptied or restored: this node writes back what it has",
		"sequence", end, "known", low, "documents", count)
	poke(s.dirty.wake)
	if s.deps.Sink != nil {
		s.deps.Sink.RecordsLost()
	}
}

// forgetVersion says that revisions begin again, and that the copy may have more than the store.
func (v *version) forgetVersion() { v.rev, v.gone, v.loose = 0, 0, true }
