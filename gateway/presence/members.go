package presence

import (
	"context"
	"slices"

	"github.com/swindon-go/swindon/internal/names"
)

// membership is what is known of the comings and goings of nodes, and of the scans that follow them. The Tracker's mu
// guards it.
type membership struct {
	// lost are nodes that are silent and may turn out to be dead: they were heard of, or have connections in a record that
	// this node owns.
	lost []names.NodeID
	// wanted says that a scan is to be made, scanning that one is under way; at is when the last began.
	wanted, scanning bool
	at               int64
	// calmAt is when this node may take others for dead; deferred says that a scan has found what might be.
	calmAt   int64
	deferred bool
}

// look sees which nodes there are. When that has changed, or one has died, all records are scanned: the users are
// shared out anew.
func (t *Tracker) look() {
	v := newView(t.d.Node, t.d.Live())
	t.mu.Lock()
	old := t.view
	if !v.equal(old) {
		t.view = v
		t.member.wanted = true
		for _, n := range old.nodes {
			if !v.has(n) && !slices.Contains(t.member.lost, n) {
				t.member.lost = append(t.member.lost, n)
			}
		}
		t.member.lost = slices.DeleteFunc(t.member.lost, v.has)
		for _, u := range t.users {
			t.schedule(u)
		}
	}
	lost := slices.Clone(t.member.lost)
	t.mu.Unlock()
	lost = slices.DeleteFunc(lost, func(n names.NodeID) bool { return !t.d.Dead(n) })
	t.mu.Lock()
	defer t.mu.Unlock()
	m := &t.member
	now := t.now()
	t.second()
	t.reload()
	t.seekOrphans(now, len(lost) > 0)
	if len(lost) > 0 {
		m.deferred = m.deferred || now < m.calmAt
		m.wanted = m.wanted || now >= m.calmAt
		m.lost = slices.DeleteFunc(m.lost, func(n names.NodeID) bool { return slices.Contains(lost, n) })
	}
	if m.deferred && now >= m.calmAt {
		m.wanted, m.deferred = true, false
	}
	if (m.wanted || now-m.at >= scanInterval.Milliseconds()) && !m.scanning && now-m.at >= tickInterval.Milliseconds() {
		m.wanted, m.scanning, m.at = false, true, now
		t.wg.Go(t.scan)
	}
}

// suspect notes nodes with connections in a record of this node's that are not among the live ones: this node may never
// have heard of them. The caller holds mu.
func (t *Tracker) suspect(r *Record) {
	for _, s := range r.Seats {
		if s.Here && s.Node != t.d.Node && !t.view.has(s.Node) && !slices.Contains(t.member.lost, s.Node) &&
			len(t.member.lost) < maxSeats {
			t.member.lost = append(t.member.lost, s.Node)
		}
	}
}

// scan reads all records and takes in those that concern this node.
func (t *Tracker) scan() {
	ctx, cancel := context.WithTimeout(t.ctx, scanWait)
	defer cancel()
	t.d.Metrics.scans.Add(1)
	err := t.d.Records.ScanRecords(ctx, func(id names.UserID, value []byte) {
		r, ok := t.parse(id, value)
		if !ok {
			return
		}
		dead := t.deadOf(&r)
		t.mu.Lock()
		t.consider(id, r, dead)
		t.mu.Unlock()
	})
	t.tell()
	if err != nil {
		t.d.Metrics.scanErrors.Add(1)
		t.failed(err)
	}
	t.mu.Lock()
	t.member.scanning = false
	t.member.wanted = t.member.wanted || err != nil
	t.mu.Unlock()
}

// deadOf lists the dead nodes with connections in a record.
func (t *Tracker) deadOf(r *Record) (dead []names.NodeID) {
	for _, s := range r.Seats {
		if s.Here && s.Node != t.d.Node && t.d.Dead(s.Node) {
			dead = append(dead, s.Node)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	dead = slices.DeleteFunc(dead, t.view.has)
	if t.now() < t.member.calmAt {
		t.member.deferred = t.member.deferred || len(dead) > 0
		return nil
	}
	return dead
}

// adopt empties the seats of dead nodes, if they are dead still.
func (t *Tracker) adopt(u *user, dead []names.NodeID) error {
	dead = slices.DeleteFunc(slices.Clone(dead), func(n names.NodeID) bool { return !t.d.Dead(n) })
	t.mu.Lock()
	now := t.now()
	if now < t.member.calmAt {
		t.member.deferred, dead = true, nil
	}
	if len(dead) == 0 {
		u.dead = nil
	}
	t.mu.Unlock()
	if len(dead) == 0 {
		return nil
	}
	err := t.change(t.ctx, u, func(r Record) (Record, bool) { return r.adopt(dead, now) })
	if err != nil {
		return err
	}
	t.d.Metrics.adopted.Add(1)
	t.mu.Lock()
	u.dead = nil
	t.mu.Unlock()
	return nil
}
