package presence

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/internal/names"
)

func nodeID(i int) names.NodeID {
	return names.NodeID(fmt.Sprintf("node%d%s", i, strings.Repeat("-", 27)))
}

// anyRecord draws a record out of few values, so that ties come up.
func anyRecord() *rapid.Generator[Record] {
	small := rapid.Int64Range(0, 4)
	return rapid.Custom(func(t *rapid.T) Record {
		r := Record{
			Status: Status{Version: small.Draw(t, "version"), State: State(rapid.IntRange(0, 2).Draw(t, "state"))},
			Until:  small.Draw(t, "until"), Touched: small.Draw(t, "touched"), Purged: small.Draw(t, "purged"),
		}
		for i := range 3 {
			if rapid.Bool().Draw(t, "seat") {
				r.Seats = append(r.Seats, Seat{nodeID(i), rapid.Bool().Draw(t, "here"), small.Draw(t, "seat version")})
			}
		}
		if s := NoticeState(rapid.IntRange(0, 3).Draw(t, "notice")); s != NoticeNone {
			r.Notice = Notice{
				Period: small.Draw(t, "period"), State: s, Turn: small.Draw(t, "turn"), Lease: small.Draw(t, "lease"),
				Since: small.Draw(t, "since"), ID: rapid.SampledFrom([]string{"", "a", `"b`}).Draw(t, "id"),
			}
			if rapid.Bool().Draw(t, "owned") {
				r.Notice.Owner = nodeID(rapid.IntRange(0, 2).Draw(t, "owner"))
			}
		}
		return r
	})
}

func equal(t interface{ Fatalf(string, ...any) }, what string, a, b Record) {
	if x, y := string(a.AppendText(nil)), string(b.AppendText(nil)); x != y {
		t.Fatalf("%s:\n%s\n%s", what, x, y)
	}
}

func TestJoinLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anyRecord().Draw(t, "a"), anyRecord().Draw(t, "b"), anyRecord().Draw(t, "c")
		equal(t, "commutative", Join(a, b), Join(b, a))
		equal(t, "associative", Join(a, Join(b, c)), Join(Join(a, b), c))
		equal(t, "idempotent", Join(a, a), a)
		equal(t, "absorbs", Join(Join(a, b), a), Join(a, b))
		equal(t, "zero", Join(a, Record{}), a)
	})
}

// TestTransitionsGrow: the record after a transition wins over the one before, strictly when it differs, and its version
// grows with each change of state, whatever the clock says.
func TestTransitionsGrow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord().Draw(t, "record")
		now := rapid.Int64Range(0, 8).Draw(t, "now")
		node, until := nodeID(rapid.IntRange(0, 3).Draw(t, "node")), rapid.Int64Range(0, 12).Draw(t, "until")
		before := string(r.AppendText(nil))
		flag := rapid.Bool().Draw(t, "flag")
		var after Record
		var changed bool
		what := rapid.SampledFrom([]string{"present", "mend", "expire", "adopt", "claim", "release", "sent", "known", "touch", "purged"}).Draw(t, "what")
		switch what {
		case "present":
			after, changed = r.present(holding{node, flag, until, rapid.Bool().Draw(t, "fresh")}, now)
		case "expire":
			after, changed = r.expire(until, flag, "id", now)
		case "adopt":
			after, changed = r.adopt([]names.NodeID{node, nodeID(0)}, now)
		case "mend":
			if after, changed = r.mend(now); changed != r.torn() {
				t.Fatalf("mended %v", changed)
			}
		case "claim":
			after, changed = r.claim(r.Notice.Period, node, now)
		case "release":
			after, changed = r.release(r.Notice.Period, node)
		case "sent":
			after, changed = r.sent(r.Notice.Period)
		case "known":
			after, changed = r.known(now)
		case "touch":
			after, changed = r.touch(until, now)
		case "purged":
			after, changed = r.purged(until)
		}
		if string(r.AppendText(nil)) != before {
			t.Fatalf("the record before has changed")
		}
		if !changed {
			equal(t, "unchanged", after, r)
		}
		equal(t, "grows", Join(r, after), after)
		if r.Version > 0 && !r.torn() && (after.torn() || after.overtaken()) {
			t.Fatalf("torn by %s", what)
		}
		if after.State != r.State && after.Version <= r.Version || after.Version < r.Version {
			t.Fatalf("version %d after %d", after.Version, r.Version)
		}
	})
}

func TestTextRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := anyRecord().Draw(t, "record")
		text := r.AppendText(nil)
		got, err := Parse(text)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%s: %+v, %v, want %+v", text, got, err, r)
		}
	})
}

func TestText(t *testing.T) {
	t.Parallel()
	r := Record{
		Status: Status{5, Active}, Until: 9, Seats: []Seat{{nodeID(1), true, 4}, {nodeID(2), false, 3}}, Touched: 7, Purged: 6,
		Notice: Notice{Period: 2, State: NoticeSending, Turn: 1, Owner: nodeID(1), Lease: 8, Since: 3, ID: "x"},
	}
	n1, n2 := nodeID(1), nodeID(2)
	want := `{"s":"active","v":5,"u":9,"c":{"` + string(n1) + `":[1,4],"` + string(n2) + `":[0,3]},"n":[2,2,1,8,3,"` +
		string(n1) + `","x"],"k":7,"g":6}`
	if got := string(r.AppendText(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, bad := range []string{
		`[]`, `1`, `{"s":"away"}`, `{"v":-1}`, `{"v":1.5}`, `{"v":2305843009213693952}`, `{"c":[]}`, `{"c":{"short":[1,1]}}`,
		`{"c":{"` + string(n1) + `":[1]}}`, `{"c":{"` + string(n1) + `":[1,1],"` + string(n1) + `":[0,2]}}`, `{"n":[]}`,
		`{"n":[1,0,1,1,1,"","x"]}`, `{"n":[1,4,1,1,1,"","x"]}`, `{"n":[1,2,1,1,1,"short","x"]}`, `{"n":[1,2,1,1,1,"",1]}`, `{`,
		`{"n":[1,2,1,1,1,1,"x"]}`,
	} {
		if r, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%s: read as %+v", bad, r)
		}
	}
	if r, err := Parse([]byte(`{"s":"inactive","v":3,"later":{"x":1}}`)); err != nil || r.Status != (Status{3, Inactive}) {
		t.Errorf("unknown member: %+v, %v", r, err)
	}
}

func TestJoinRecords(t *testing.T) {
	t.Parallel()
	a, b, bad := `{"s":"active","v":5,"u":1}`, `{"s":"offline","v":6,"u":9}`, `nothing`
	for _, c := range []struct{ a, b, want string }{
		{a, b, `{"s":"offline","v":6,"u":9}`},
		{a, "", a},
		{"", b, b},
		{a, bad, a},
		{bad, b, b},
		{bad, "", ""},
		{"", "", ""},
	} {
		if got := string(JoinRecords([]byte(c.a), []byte(c.b))); got != c.want {
			t.Errorf("%q and %q: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

// FuzzParse: nothing panics, and what is read is written and read alike.
func FuzzParse(f *testing.F) {
	r := Record{Status: Status{5, Active}, Seats: []Seat{{nodeID(1), true, 4}}, Notice: Notice{State: NoticeDue, ID: "x"}}
	f.Add(r.AppendText(nil))
	f.Add([]byte(`{"c":{},"n":[1,2,3,4,5,"",""]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(r.AppendText(nil))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "again", again, r)
		equal(t, "join", Join(r, again), r)
	})
}

func TestSeatsAreTrimmed(t *testing.T) {
	t.Parallel()
	var r Record
	now := time.Hour.Milliseconds()
	for i := range 200 {
		r = r.sit(names.NodeID(fmt.Sprintf("%032d", i)), false, now+int64(i))
	}
	if len(r.Seats) > maxEmptySeats+1 {
		t.Errorf("%d empty seats", len(r.Seats))
	}
	left := r.left()
	r = r.sit(nodeID(1), true, now+2*emptySeatMillis)
	if len(r.Seats) != 2 || r.Seats[0].Version != left {
		t.Errorf("after long: %+v", r.Seats)
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	three := newView(nodeID(0), []names.NodeID{nodeID(2), nodeID(1), nodeID(2)})
	two := newView(nodeID(0), []names.NodeID{nodeID(1)})
	if same := newView(nodeID(1), []names.NodeID{nodeID(0), nodeID(2)}); !same.equal(three) {
		t.Error("the order of the nodes matters")
	}
	share := map[names.NodeID]int{}
	for i := range 3000 {
		u := names.UserID(fmt.Sprintf("user:%d", i))
		o := three.owner(u)
		share[o]++
		if o != nodeID(2) && two.owner(u) != o {
			t.Fatalf("%s moves although its owner stays", u)
		}
	}
	for n, c := range share {
		if c < 850 || c > 1150 {
			t.Errorf("%s owns %d of 3000", n, c)
		}
	}
}

// TestClaim: a notice belongs to one node until its lease ends.
func TestClaim(t *testing.T) {
	t.Parallel()
	r := Record{Status: Status{9, Offline}, Notice: Notice{Period: 5, State: NoticeDue, ID: "x"}}
	a, ok := r.claim(5, nodeID(1), 1000)
	if !ok || a.Notice != (Notice{Period: 5, State: NoticeSending, Turn: 1, Owner: nodeID(1), Lease: 31_000, ID: "x"}) {
		t.Fatalf("claim: %+v, %v", a.Notice, ok)
	}
	if b, ok := a.claim(5, nodeID(2), 30_999); ok {
		t.Errorf("taken away: %+v", b.Notice)
	}
	if b, ok := a.claim(4, nodeID(1), 2000); ok {
		t.Errorf("of another period: %+v", b.Notice)
	}
	if b, ok := a.claim(5, nodeID(1), 11_000); !ok || b.Notice.Lease != 41_000 || b.Notice.Turn != 1 {
		t.Errorf("renewal: %+v, %v", b.Notice, ok)
	}
	b, ok := a.claim(5, nodeID(2), 31_000)
	if !ok || b.Notice.Owner != nodeID(2) || b.Notice.Turn != 2 || b.Notice.ID != "x" {
		t.Errorf("after the lease: %+v, %v", b.Notice, ok)
	}
	if _, ok := b.release(5, nodeID(1)); ok {
		t.Error("released by another")
	}
	free, _ := b.release(5, nodeID(2))
	if c, ok := free.claim(5, nodeID(1), 31_001); !ok || c.Notice.Turn != 4 {
		t.Errorf("after the release: %+v, %v", c.Notice, ok)
	}
	done, _ := b.sent(5)
	if _, ok := done.claim(5, nodeID(2), 99_000); ok {
		t.Error("claimed after it was sent")
	}
}

// TestPresent is the table of what a node's news do to a record (decisions D25, D28; protocol §9.3).
func TestPresent(t *testing.T) {
	t.Parallel()
	me, other := nodeID(1), nodeID(2)
	with := func(s State, until int64, nodes ...names.NodeID) Record {
		r := Record{Status: Status{500, s}, Until: until}
		for _, n := range nodes {
			r.Seats = append(r.Seats, Seat{n, true, 400})
		}
		return r
	}
	const now, soon, late = 1000, 6000, 60_000
	for name, c := range map[string]struct {
		r       Record
		h       holding
		state   State
		until   int64
		changed bool
	}{
		"first connection":                {Record{}, holding{me, true, late, true}, Active, late, true},
		"second node":                     {with(Active, late, other), holding{me, true, soon, true}, Active, late, true},
		"second tab never shortens":       {with(Active, late, me), holding{me, true, soon, true}, Active, late, false},
		"deadline moves a little":         {with(Active, soon, me), holding{me, true, soon + moveMillis, true}, Active, soon, false},
		"deadline moves far":              {with(Active, soon, me), holding{me, true, soon + moveMillis + 1, true}, Active, soon + moveMillis + 1, true},
		"inactive becomes active":         {with(Inactive, 400, me), holding{me, true, soon, true}, Active, soon, true},
		"nothing new":                     {with(Inactive, 400, me), holding{me, true, 400, false}, Inactive, 400, false},
		"an old wish":                     {with(Inactive, 400, me), holding{me, true, 300, true}, Inactive, 400, false},
		"leaves, active":                  {with(Active, soon, me), holding{me, false, soon + 1, false}, Active, soon + 1, true},
		"leaves, inactive":                {with(Inactive, 400, me), holding{me, false, 400, false}, Offline, 400, true},
		"leaves, inactive, others stay":   {with(Inactive, 400, me, other), holding{me, false, 400, false}, Inactive, 400, true},
		"taken for dead, inactive":        {with(Offline, 400), holding{me, true, 400, false}, Inactive, 400, true},
		"taken for dead, later deadline":  {with(Offline, 400), holding{me, true, soon, false}, Active, soon, true},
		"a period that nobody wrote down": {with(Offline, 400), holding{me, false, 900, true}, Active, 900, true},
		"overtaken":                       {with(Offline, soon, me), holding{me, true, soon, false}, Active, soon, true},
		"never here":                      {Record{}, holding{me, false, 0, false}, Offline, 0, false},
	} {
		got, changed := c.r.present(c.h, now)
		if got.State != c.state || got.Until != c.until || changed != c.changed || got.here(me) != c.h.here {
			t.Errorf("%s: %+v, %v", name, got, changed)
		}
		if again, changed := got.present(c.h, now+1); changed {
			t.Errorf("%s, twice: %+v", name, again)
		}
	}
}
