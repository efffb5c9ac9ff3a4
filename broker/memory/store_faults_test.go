package memory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/internal/port"
)

// stores is one bucket: by itself, and as two nodes see it.
type stores struct {
	bus  *memory.Bus
	s    *memory.Store
	a, b *memory.Store
	t    *testing.T
}

func inBubble(t *testing.T, test func(t *testing.T, s *stores)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := memory.NewNetwork(0)
		bus := n.Join()
		test(t, &stores{bus: bus, s: n.Store("main"), a: bus.Store("main"), b: n.Join().Store("main"), t: t})
	})
}

func (s *stores) write(key string, rev uint64, value string, ttl time.Duration) uint64 {
	s.t.Helper()
	rev, err := s.a.CompareAndSwap(s.t.Context(), key, rev, []byte(value), ttl)
	if err != nil {
		s.t.Fatal(err)
	}
	return rev
}

// holds says what there is, without any fault: "key=value@revision", "-" for a mark.
func (s *stores) holds(want ...string) {
	s.t.Helper()
	net := memory.NewNetwork(0)
	copied := net.Store("copy")
	copied.Restore(s.s.Save())
	p, err := copied.Changes(s.t.Context(), ">", 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(want, list(p)); diff != "" {
		s.t.Error(diff)
	}
}

func list(p port.Page) []string {
	var got []string
	for _, c := range p.Changes {
		value := string(c.Value)
		if c.Value == nil {
			value = "-"
		}
		got = append(got, fmt.Sprintf("%s=%s@%d", c.Key, value, c.Revision))
	}
	return got
}

// calls does each kind of access once, the writes to a key of their own.
func calls(ctx context.Context, s *memory.Store, key string) map[memory.Op]error {
	_, get := s.Get(ctx, key)
	_, latest := s.GetLatest(ctx, key)
	_, many := s.GetMany(ctx, []string{key, "other"})
	_, changes := s.Changes(ctx, ">", 0, 10)
	_, last := s.LastSequence(ctx)
	rev, written := s.CompareAndSwap(ctx, key, 0, []byte("x"), 0)
	_, deleted := s.Delete(ctx, key, rev)
	return map[memory.Op]error{
		memory.OpGet: get, memory.OpGetLatest: latest, memory.OpGetMany: many, memory.OpChanges: changes, memory.OpLast: last,
		memory.OpWrite: written, memory.OpDelete: deleted,
	}
}

func all(t *testing.T, what string, errs map[memory.Op]error, want error) {
	t.Helper()
	for op, err := range errs {
		if !errors.Is(err, want) {
			t.Errorf("%s: %s: %v, want %v", what, op, err, want)
		}
	}
}

func TestStoreDown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *stores) {
		s.s.SetDown(true)
		all(t, "down", calls(t.Context(), s.a, "k"), port.ErrUnavailable)
		if !s.a.Ready() {
			t.Error("a bucket without leader exists all the same")
		}
		s.s.SetDown(false)
		s.s.SetReady(false)
		all(t, "absent", calls(t.Context(), s.a, "k"), port.ErrUnavailable)
		if s.a.Ready() || s.s.Ready() {
			t.Error("ready though absent")
		}
		s.s.SetReady(true)
		s.holds()
		all(t, "back", calls(t.Context(), s.a, "k"), nil)
		s.holds("k=-@2")
		if got := s.bus.NodesStore(); got == nil || errOf(got.LastSequence(t.Context())) != nil {
			t.Error("no bucket of nodes")
		}
		if n, err := s.bus.NodesStore().LastSequence(t.Context()); n != 0 || err != nil {
			t.Errorf("buckets are not apart: %d, %v", n, err)
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

// TestStoreOfNodeDown: the node's way is cut, the other's is not.
func TestStoreOfNodeDown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *stores) {
		s.bus.SetDown(true)
		all(t, "cut off", calls(t.Context(), s.a, "k"), port.ErrUnavailable)
		all(t, "the other", calls(t.Context(), s.b, "k"), nil)
		s.bus.SetDown(false)
		s.holds("k=-@2")

		// What is on its way when the node is cut off may have been done: here it was not, there it was.
		s.bus.SetDelay(time.Second)
		errs := make(chan error, 1)
		go func() { errs <- errOf(s.a.CompareAndSwap(t.Context(), "l", 0, []byte("x"), 0)) }()
		synctest.Wait()
		s.bus.SetDown(true)
		if err := <-errs; !errors.Is(err, port.ErrTimeout) {
			t.Errorf("on its way there: %v", err)
		}
		s.bus.SetDown(false)
		s.bus.SetDelay(0)
		time.Sleep(time.Second) // until the way is free
		s.s.SetDelay(time.Second)
		go func() { errs <- errOf(s.a.CompareAndSwap(t.Context(), "m", 0, []byte("x"), 0)) }()
		synctest.Wait()
		s.bus.SetDown(true)
		if err := <-errs; !errors.Is(err, port.ErrTimeout) {
			t.Errorf("on its way back: %v", err)
		}
		time.Sleep(time.Minute)
		s.holds("m=x@3") // the mark of k has gone

		s.bus.SetDown(false)
		s.s.SetDelay(0)
		s.bus.SetStalled(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		all(t, "stalled", calls(ctx, s.a, "n"), port.ErrTimeout)
		s.bus.SetStalled(false)
	})
}

// TestStoreSlow: an access takes its time, and one whose context ends before is done all the same.
func TestStoreSlow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *stores) {
		s.s.SetDelay(time.Second)
		begin := time.Now()
		all(t, "slow", calls(t.Context(), s.a, "k"), nil)
		if d := time.Since(begin); d != 7*time.Second {
			t.Errorf("seven calls took %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := s.a.CompareAndSwap(ctx, "late", 0, []byte("x"), 0)
		if !errors.Is(err, port.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the deadline: %v", err)
		}
		s.holds("k=-@2")
		time.Sleep(time.Second)
		s.holds("k=-@2", "late=x@3")
	})
}

// TestStoreLag: a replica hears of everything later and in order; compare-and-swap and the leader's reads do not wait.
func TestStoreLag(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *stores) {
		s.write("a", 0, "1", 0)
		s.s.SetLag(time.Second)
		sees := func(want string) {
			t.Helper()
			p, err := s.b.Changes(t.Context(), ">", 0, 10)
			if got := strings.Join(list(p), " "); err != nil || got != want {
				t.Errorf("sees %q, %v, want %q", got, err, want)
			}
			many, err := s.b.GetMany(t.Context(), []string{"a", "b"})
			a, err2 := s.b.Get(t.Context(), "a")
			if err != nil || err2 != nil || !cmp.Equal(a, many[0]) || !strings.Contains(want, fmt.Sprintf("a=%s@%d", many[0].Value, many[0].Revision)) {
				t.Errorf("GetMany %+v, Get %+v: %v, %v", many, a, err, err2)
			}
		}
		s.write("a", 1, "2", 0)
		time.Sleep(500 * time.Millisecond)
		s.write("b", 0, "3", time.Second)
		sees("a=1@1")
		if e, err := s.b.GetLatest(t.Context(), "a"); err != nil || string(e.Value) != "2" {
			t.Errorf("from the leader: %+v, %v", e, err)
		}
		if n, err := s.b.LastSequence(t.Context()); err != nil || n != 3 {
			t.Errorf("last sequence %d, %v", n, err)
		}
		time.Sleep(500 * time.Millisecond)
		sees("a=2@2")
		time.Sleep(500 * time.Millisecond)
		sees("a=2@2 b=3@3") // b has ended at the leader by now
		if e, err := s.b.GetLatest(t.Context(), "b"); err != nil || e.Value != nil || e.Revision != 4 {
			t.Errorf("ended: %+v, %v", e, err)
		}
		time.Sleep(time.Second)
		sees("a=2@2 b=-@4")
		s.write("a", 2, "4", 0)
		sees("a=2@2 b=-@4")
		s.s.SetLag(0)
		sees("b=-@4 a=4@5")
	})
}

// TestStoreFault: each fault says what it says and does what it does, to the access that was picked and no other.
func TestStoreFault(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *stores) {
		for i, tt := range []struct {
			fault memory.Fault
			err   error
			done  bool
		}{
			{memory.FaultNone, nil, true},
			{memory.FaultRefused, port.ErrUnavailable, false},
			{memory.FaultLost, port.ErrTimeout, false},
			{memory.FaultAnswerLost, port.ErrTimeout, true},
		} {
			key := fmt.Sprint("k", i)
			s.s.SetFault(func(op memory.Op, k string) memory.Fault {
				if op == memory.OpWrite && k == key {
					return tt.fault
				}
				return memory.FaultNone
			})
			if _, err := s.a.CompareAndSwap(t.Context(), key, 0, []byte("x"), 0); !errors.Is(err, tt.err) {
				t.Errorf("fault %d: %v", tt.fault, err)
			}
			if e, err := s.a.Get(t.Context(), key); err != nil || e.Value != nil != tt.done {
				t.Errorf("fault %d: %+v, %v", tt.fault, e, err)
			}
			s.write(fmt.Sprint("other", i), 0, "", 0)
		}
		s.s.SetFault(func(memory.Op, string) memory.Fault { return memory.FaultLost })
		all(t, "every access", calls(t.Context(), s.b, "z"), port.ErrTimeout)
		s.s.SetFault(nil)
		all(t, "none any more", calls(t.Context(), s.b, "z"), nil)
	})
}

func TestStoreLosesAnswers(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *stores) {
		s.s.LoseAnswers(2)
		if _, err := s.a.CompareAndSwap(t.Context(), "k", 0, []byte("x"), 0); !errors.Is(err, port.ErrTimeout) {
			t.Error(err)
		}
		if _, err := s.a.Get(t.Context(), "k"); err != nil {
			t.Errorf("a read: %v", err)
		}
		// The same again finds what the first has done.
		if _, err := s.b.CompareAndSwap(t.Context(), "k", 0, []byte("x"), 0); !errors.Is(err, port.ErrTimeout) {
			t.Error(err)
		}
		if _, err := s.b.CompareAndSwap(t.Context(), "k", 0, []byte("x"), 0); !errors.Is(err, port.ErrRevision) {
			t.Error(err)
		}
		s.holds("k=x@1")
	})
}

// TestStoreMaxBytes: beyond the bound writes fail; deletions make room.
func TestStoreMaxBytes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *stores) {
		s.s.SetMaxBytes(22)
		first := s.write("a", 0, "0123456789", 0)
		s.write("b", 0, "0123456789", 0)
		if _, err := s.a.CompareAndSwap(t.Context(), "c", 0, []byte("x"), 0); !errors.Is(err, port.ErrStoreFull) {
			t.Errorf("full: %v", err)
		}
		first = s.write("a", first, "9876543210", 0) // takes no more than before
		if _, err := s.a.CompareAndSwap(t.Context(), "a", first, make([]byte, 11), 0); !errors.Is(err, port.ErrStoreFull) {
			t.Errorf("a value that grows: %v", err)
		}
		if _, err := s.a.Delete(t.Context(), "a", first); err != nil {
			t.Error(err)
		}
		s.write("c", 0, "x", 0)
		s.s.SetMaxBytes(0)
		s.write("d", 0, "0123456789", 0)
	})
}

// TestStoreRestore: what was saved comes back with its sequence numbers, as from an old disk; the zero copy is a loss.
func TestStoreRestore(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *stores) {
		s.write("a", 0, "1", 0)
		s.write("ends", 0, "1", time.Minute)
		old := s.s.Save()
		s.write("a", 1, "2", 0)
		s.write("b", 0, "2", 0)
		s.holds("ends=1@2", "a=2@3", "b=2@4")
		s.s.Restore(old)
		s.holds("a=1@1", "ends=1@2")
		s.write("c", 0, "3", 0)
		s.holds("a=1@1", "ends=1@2", "c=3@3")
		s.s.SetLag(time.Second)
		s.s.Restore(memory.Backup{})
		s.holds()
		if p, err := s.b.Changes(t.Context(), ">", 0, 10); err != nil || len(p.Changes) > 0 {
			t.Errorf("the replica has not lost it: %v, %v", p, err)
		}
		s.write("a", 0, "4", 0)
		s.s.Restore(old) // the copy is as it was
		s.holds("a=1@1", "ends=1@2")
		time.Sleep(time.Minute)
		s.holds("a=1@1", "ends=-@3")
	})
}

// TestStoreMarks: marks of deletions and expiries live a minute and then leave nothing, not even a number.
func TestStoreMarks(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *stores) {
		s.write("kept", 0, "x", 0)
		s.write("second", 0, "x", 1500*time.Millisecond)
		s.write("first", 0, "x", time.Second)
		s.write("deleted", 0, "x", time.Hour)
		if _, err := s.a.Delete(t.Context(), "deleted", 4); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s.holds("kept=x@1", "second=x@2", "deleted=-@5", "first=-@6")
		time.Sleep(time.Second)
		s.holds("kept=x@1", "deleted=-@5", "first=-@6", "second=-@7")
		time.Sleep(58*time.Second - time.Nanosecond)
		s.holds("kept=x@1", "deleted=-@5", "first=-@6", "second=-@7")
		time.Sleep(time.Nanosecond)
		s.holds("kept=x@1", "first=-@6", "second=-@7")
		time.Sleep(time.Hour)
		s.holds("kept=x@1")
		if n, err := s.a.LastSequence(t.Context()); err != nil || n != 7 {
			t.Errorf("last sequence %d, %v", n, err)
		}
		if e, err := s.a.Get(t.Context(), "first"); err != nil || e.Revision != 0 {
			t.Errorf("after its mark: %+v, %v", e, err)
		}
		s.write("first", 0, "again", 0)
	})
}

// TestGatherDown: a gathered request ends with its node, after what had arrived.
func TestGatherDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := memory.NewNetwork(0)
		a, b := n.Join(), n.Join()
		stop, err := b.Intake([]string{"sw.main.nodes.ping"}, nil, func(m port.Message) {
			if err := b.Publish(port.Message{Subject: m.Reply, Data: []byte("pong")}); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		got, done := 0, make(chan error, 1)
		ask := func() error {
			return a.RequestMany(t.Context(), port.LaneCalls, port.Message{Subject: "sw.main.nodes.ping"}, func(port.Message) bool {
				got++
				return true
			})
		}
		go func() { done <- ask() }()
		synctest.Wait()
		a.SetDown(true)
		if err := <-done; !errors.Is(err, port.ErrTimeout) || got != 1 {
			t.Errorf("%d answers, %v", got, err)
		}
		if err := ask(); !errors.Is(err, port.ErrUnavailable) {
			t.Errorf("while down: %v", err)
		}
		a.SetDown(false)
		a.SetDrop(func(port.Message) bool { return true })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = a.RequestMany(ctx, port.LaneOrdered, port.Message{Subject: "sw.main.nodes.ping"}, func(port.Message) bool { return true })
		if !errors.Is(err, port.ErrTimeout) {
			t.Errorf("a lost request: %v", err)
		}
	})
}
