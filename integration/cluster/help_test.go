package cluster

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

const (
	desk     = "desk.queues"
	presence = "swindon.user"
)

func nsPath(ns string) string { return strings.ReplaceAll(ns, ".", "/") }

// attach attaches a connection to a namespace through a node, with an update.
func attach(n *testkit.Node, v *testkit.Visitor, ns, delta string) {
	n.T.Helper()
	n.Accepted("PUT", "/v1/connection/"+v.ID+"/lattices/"+nsPath(ns), delta)
}

// update posts an update through a node.
func update(n *testkit.Node, ns, delta string) {
	n.T.Helper()
	n.Accepted("POST", "/v1/lattice/"+nsPath(ns), delta)
}

// watch lets a connection watch users; through is the node that is asked.
func watch(through *testkit.Node, v *testkit.Visitor, users ...string) {
	through.T.Helper()
	text, _ := json.Marshal(users)
	through.Accepted("PUT", "/v1/connection/"+v.ID+"/users", string(text))
}

// awaitView waits until all that a client knows of a namespace is this (JSON of keys).
func awaitView(t *testing.T, v *testkit.Visitor, ns, want string) {
	t.Helper()
	text := canonical(t, want)
	if !within(testkit.Patience, func() bool { return v.View.Text(ns) == text }) {
		t.Fatalf("%s on node %s sees\n%s\nwant\n%s\nframes: %v", v.User, v.Node.Name, v.View.Text(ns), text, v.Lattice(ns))
	}
}

// staysView fails when the view changes within Quiet.
func staysView(t *testing.T, v *testkit.Visitor, ns, want string) {
	t.Helper()
	awaitView(t, v, ns, want)
	text := canonical(t, want)
	if within(testkit.Quiet, func() bool { return v.View.Text(ns) != text }) {
		t.Errorf("the view of %s became %s", v.User, v.View.Text(ns))
	}
}

// canonical brings keys into the form of View.Text.
func canonical(t *testing.T, text string) string {
	t.Helper()
	view := testkit.NewView()
	if err := view.Frame("x", json.RawMessage(text)); err != nil {
		t.Fatal(err)
	}
	return view.Text("x")
}

// within tells whether a condition comes to hold in that time.
func within(patience time.Duration, condition func() bool) bool {
	for late := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
		if time.Now().After(late) {
			return false
		}
	}
}

// statuses are all statuses of a user that a visitor was told, oldest first.
func statuses(v *testkit.Visitor, user string) []status {
	var all []status
	for _, e := range v.Lattice(presence) {
		var data map[string]struct {
			Register [2]any `json:"status_register"`
		}
		if json.Unmarshal(e.Data, &data) != nil {
			continue
		}
		if d, ok := data[user]; ok {
			version, _ := d.Register[0].(float64)
			value, _ := d.Register[1].(string)
			all = append(all, status{version, value, e.At})
		}
	}
	return all
}

type status struct {
	version float64
	value   string
	at      time.Time
}

// awaitStatus waits until the last status of a user that a visitor was told is this.
func awaitStatus(t *testing.T, v *testkit.Visitor, user, want string, patience time.Duration) status {
	t.Helper()
	var last status
	if !within(patience, func() bool {
		if all := statuses(v, user); len(all) > 0 {
			last = all[len(all)-1]
		}
		return last.value == want
	}) {
		t.Fatalf("%s on node %s knows of %s only %v, want %s", v.User, v.Node.Name, user, statuses(v, user), want)
	}
	return last
}

// checkStatuses looks at all that a visitor was told of a user: versions never fall, and one version never means two things.
func checkStatuses(t *testing.T, v *testkit.Visitor, user string) {
	t.Helper()
	var last status
	for _, s := range statuses(v, user) {
		if s.version < last.version || s.version == last.version && s.value != last.value {
			t.Errorf("%s on node %s was told of %s %v after %v", v.User, v.Node.Name, user, s, last)
		}
		last = s
	}
}

// sameNumber connects two users to two nodes so that their connections have the same number.
func sameNumber(t *testing.T, c *testkit.Cluster, a, b *testkit.Node, userA, userB string) (va, vb *testkit.Visitor) {
	t.Helper()
	number := func(v *testkit.Visitor) string { return v.ID[strings.LastIndexByte(v.ID, '-')+1:] }
	va, vb = c.Visit(a, userA), c.Visit(b, userB)
	for range 20 {
		switch x, y := number(va), number(vb); {
		case x == y:
			return va, vb
		case len(x) < len(y) || len(x) == len(y) && x < y:
			va.Leave()
			va = c.Visit(a, userA)
		default:
			vb.Leave()
			vb = c.Visit(b, userB)
		}
	}
	t.Fatalf("no equal numbers: %s, %s", va.ID, vb.ID)
	return nil, nil
}
