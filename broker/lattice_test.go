package broker

import (
	"testing"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// TestLatticePermissions: user gateway may hear and send all that lattices need, and a backend may ask a node for an
// update. What a backend may not is in TestBackendPermissions.
func TestLatticePermissions(t *testing.T) {
	t.Parallel()
	a := open(t, listening(), testDeps(t))
	deps := testDeps(t)
	deps.Node = otherNode
	b := open(t, asGateway(a), deps)
	s, err := names.NewSpace("sw", "main")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan port.Message, 10)
	stop, err := b.Intake([]string{s.Announcements(), s.Loads(), s.Nodes("beat")}, nil, func(m port.Message) {
		heard <- m
		if m.Reply != "" {
			if err := b.Publish(port.Message{Subject: m.Reply, Data: []byte("loaded")}); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	stop, err = b.Serve(s.LatticeUpdates(), names.NodeQueue, func(m port.Message) {
		ns, err := s.ParseLatticeUpdate(m.Subject)
		if err != nil {
			t.Error(err)
		}
		if err := b.Publish(port.Message{Subject: m.Reply, Data: []byte(ns)}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)

	for _, subject := range []string{s.Lattice("chat.room"), s.Record("a.b"), s.Nodes("beat")} {
		if err := a.Publish(port.Message{Subject: subject}); err != nil {
			t.Fatal(err)
		}
		if m := <-heard; m.Subject != subject {
			t.Errorf("heard %s, not %s", m.Subject, subject)
		}
	}
	for _, lane := range []port.Lane{port.LaneCalls, port.LaneOrdered} {
		err := a.RequestMany(ctx(t), lane, port.Message{Subject: s.Load("chat.room")}, func(m port.Message) bool {
			if string(m.Data) != "loaded" {
				t.Errorf("%v: answered %q", lane, m.Data)
			}
			return false
		})
		if err != nil {
			t.Errorf("%v: %v", lane, err)
		}
	}
	nc, errs := client(t, a)
	m, err := nc.Request(s.UpdateLattice("chat.room"), []byte("{}"), patience)
	if err != nil || string(m.Data) != "chat.room" {
		t.Errorf("an update: %v, %v", m, err)
	}
	if len(errs) > 0 {
		t.Error(<-errs)
	}
	for _, b := range []*Broker{a, b} {
		if n := count(t, b.m.errors.WithLabelValues("permission")); n != 0 {
			t.Errorf("%v permissions were missing", n)
		}
	}
}
