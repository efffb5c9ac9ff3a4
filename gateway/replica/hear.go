package replica

import (
	"strconv"
	"time"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// Hear takes an announcement of another node (Space.Announcements). It is called in the order of arrival and does not
// block. In a mesh it also answers.
func (s *Set) Hear(m port.Message) {
	ns, user, err := s.deps.Space.ParseAnnouncement(m.Subject)
	if err != nil {
		s.bad(m, err)
		return
	}
	s.metrics.heard.Add(1)
	switch {
	case s.mesh != nil:
		s.mesh.hear(m, ns, user)
	case user != "":
		s.hearRecord(m, user)
	default:
		s.hearDocs(m, ns)
	}
}

func (s *Set) hearDocs(m port.Message, ns names.Namespace) {
	batch, err := s.parseDocs(ns, m.Data, s.wanted(ns))
	if err != nil {
		s.bad(m, err)
	}
	s.deliver(ns, batch)
	for i := range batch {
		c := &batch[i]
		s.recent.heard(c.doc)
		s.heardOf(c)
		if c.prev == 0 && c.seq != 0 && c.doc.Kind == names.SharedDoc {
			s.counts.created(ns)
		}
	}
}

// wanted tells which documents of a namespace are followed here.
func (s *Set) wanted(ns names.Namespace) func(names.Doc) bool {
	n := s.namespaceOf(ns, false)
	if n == nil {
		return func(names.Doc) bool { return false }
	}
	n.mu.Unlock()
	return func(d names.Doc) bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.has(d)
	}
}

func (s *Set) hearRecord(m port.Message, u names.UserID) {
	v, ok := jsontext.Lookup(m.Data, "seq")
	seq, err := strconv.ParseUint(string(v), 10, 64)
	if !ok || err != nil {
		s.bad(m, port.ErrMalformed)
		return
	}
	r, _ := jsontext.Lookup(m.Data, "r")
	s.tellRecord(u, r)
	s.heardOf(&docChange{doc: names.RecordOf(u), seq: seq})
}

// tellRecord hands a record of another node on; nil: it is gone.
func (s *Set) tellRecord(u names.UserID, value []byte) {
	s.own.overwritten(u)
	if s.deps.Sink == nil {
		return
	}
	s.sinkMu.Lock()
	defer s.sinkMu.Unlock()
	s.deps.Sink.RecordHeard(u, value)
}

func (s *Set) bad(m port.Message, err error) {
	s.metrics.bad.Add(1)
	s.log.Debug("Bad announcement is dropped", "subject", m.Subject, "err", err)
}

// heardOf notes the number of a commit that has been merged. An announcement of what was committed before, by
// somebody else, only tells that the number exists: it may be less than what that commit brought.
func (s *Set) heardOf(c *docChange) {
	if c.seq == 0 || s.mesh != nil {
		return
	}
	s.fresh.note(c.doc, c.seq, time.Now())
	s.markMu.Lock()
	before := s.mark.since
	if c.seq == c.prev {
		s.mark.exists(c.seq, time.Now())
	} else {
		s.mark.note(c.seq, time.Now())
	}
	look := s.mark.since != before || s.mark.full
	s.markMu.Unlock()
	if look {
		poke(s.catchUp)
	}
}

// Gap says that messages were lost, or may have been: what was missed is read from the store, or from the peers.
func (s *Set) Gap(reason string) {
	s.log.Debug("Announcements may have been lost", "reason", reason)
	if s.mesh != nil {
		s.mesh.suspectAll()
		return
	}
	s.markMu.Lock()
	s.gap = true
	s.markMu.Unlock()
	poke(s.catchUp)
}

// BeatFields appends this package's members of a node's beat, each with a comma before it.
func (s *Set) BeatFields(dst []byte) []byte {
	if s.mesh != nil {
		return s.mesh.beat(dst)
	}
	s.markMu.Lock()
	low := s.mark.low
	s.markMu.Unlock()
	return strconv.AppendUint(append(dst, `,"lat":`...), low, 10)
}

// HearBeat takes another node's beat.
func (s *Set) HearBeat(node names.NodeID, body []byte) {
	if s.mesh != nil {
		s.mesh.hearBeat(node, body)
		return
	}
	v, ok := jsontext.Lookup(body, "lat")
	n, err := strconv.ParseUint(string(v), 10, 64)
	if !ok || err != nil {
		return // a node of another version
	}
	s.markMu.Lock()
	before := s.mark.since
	if !s.synced.IsZero() {
		s.mark.exists(n, time.Now())
	}
	look := s.mark.since != before
	s.markMu.Unlock()
	if look {
		poke(s.catchUp)
	}
}
