package presence

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/names"
)

// instant is a store in memory without any faults.
type instant map[names.UserID][]byte

func (s instant) ChangeRecord(_ context.Context, u names.UserID, f func([]byte) ([]byte, time.Duration)) ([]byte, error) {
	if v, _ := f(s[u]); v != nil {
		s[u] = v
	}
	return s[u], nil
}

func (s instant) LoadRecords(context.Context, []names.UserID) ([][]byte, error) { return nil, nil }

func (s instant) ScanRecords(context.Context, func(names.UserID, []byte)) error { return nil }

func (s instant) PurgePrivate(context.Context, names.UserID, time.Time) (kept time.Time, err error) {
	return kept, nil
}

func (s instant) ScanPrivate(context.Context, func([]names.UserID) error) error { return nil }

// alone is a Tracker that is not started.
func alone(t testing.TB) *Tracker {
	t.Helper()
	m, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	tr := New(Deps{
		Node: nodeID(0), Records: instant{}, Config: func() Config { return Config{PrivateGrace: time.Minute} }, Metrics: m,
		Local: func(names.UserID) (int64, int) { return 0, 1 }, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Live: func() []names.NodeID { return nil }, IDs: ident.New(time.Now),
	})
	t.Cleanup(tr.cancel)
	return tr
}

// TestActiveAllocatesNothing: a call with `active` must cost next to nothing.
func TestActiveAllocatesNothing(t *testing.T) {
	tr := alone(t)
	now := time.Now().UnixMilli()
	if err := tr.Joined(t.Context(), "ann", now+60_000); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { now++; tr.Active("ann", now+60_000) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	other := Record{Status: Status{1, Active}, Until: now, Seats: []Seat{{nodeID(1), true, 1}}}
	text := other.AppendText(nil)
	tr.view = newView(nodeID(0), []names.NodeID{nodeID(1)})
	id := names.UserID("user0")
	for i := 0; tr.owns(id); i++ {
		id = names.UserID(fmt.Sprint("user", i))
	}
	if n := testing.AllocsPerRun(100, func() { tr.RecordHeard(id, text) }); n > 0 {
		t.Errorf("%v allocations for a record that does not concern this node", n)
	}
}

// TestOwnerClockAhead: a new connection makes active again although by the owner's clock the last deadline, which has
// passed there, is later than the new one here.
func TestOwnerClockAhead(t *testing.T) {
	t.Parallel()
	tr := alone(t)
	now := time.Now().UnixMilli()
	r := Record{Status: Status{now + 60_000, Inactive}, Until: now + 60_000, Seats: []Seat{{nodeID(0), true, 1}}}
	tr.RecordHeard("ann", r.AppendText(nil))
	if err := tr.Joined(t.Context(), "ann", now+5000); err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(tr.d.Records.(instant)["ann"]); err != nil || got.State != Active || got.Version <= r.Version {
		t.Errorf("%+v, %v", got, err)
	}
}

// adopter is a store in which another node takes this one for dead right after its first write, and is heard before
// the write's answer.
type adopter struct {
	instant
	t    *Tracker
	once bool
}

func (s *adopter) ChangeRecord(ctx context.Context, u names.UserID, f func([]byte) ([]byte, time.Duration)) ([]byte, error) {
	v, err := s.instant.ChangeRecord(ctx, u, f)
	if !s.once {
		s.once = true
		r, _ := Parse(v)
		r, _ = r.adopt([]names.NodeID{nodeID(0)}, time.Now().UnixMilli())
		s.instant[u] = r.AppendText(nil)
		s.t.RecordHeard(u, s.instant[u])
	}
	return v, err
}

// TestAdoptedWhileWriting: what is heard during a write is not forgotten after it.
func TestAdoptedWhileWriting(t *testing.T) {
	t.Parallel()
	tr := alone(t)
	s := &adopter{instant: instant{}, t: tr}
	tr.d.Records = s
	if err := tr.Joined(t.Context(), "ann", time.Now().UnixMilli()+60_000); err != nil {
		t.Fatal(err)
	}
	if r, err := Parse(s.instant["ann"]); err != nil || !r.here(nodeID(0)) {
		t.Errorf("%+v, %v", r, err)
	}
}

func BenchmarkActive(b *testing.B) {
	tr := alone(b)
	now := time.Now().UnixMilli()
	_ = tr.Joined(b.Context(), "ann", now+60_000)
	for b.Loop() {
		tr.Active("ann", now+60_000)
	}
}

func BenchmarkRecordHeard(b *testing.B) {
	tr := alone(b)
	r := Record{Status: Status{1, Active}, Until: time.Now().UnixMilli() + 60_000, Seats: []Seat{{nodeID(1), true, 1}}}
	for b.Loop() {
		r.Until++
		tr.RecordHeard("ann", r.AppendText(nil))
	}
}

func BenchmarkJoined(b *testing.B) {
	tr := alone(b)
	until := time.Now().UnixMilli() + 60_000
	for i := 0; b.Loop(); i++ {
		_ = tr.Joined(b.Context(), names.UserID(fmt.Sprint(i)), until)
	}
}
