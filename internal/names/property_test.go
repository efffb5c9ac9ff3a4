package names

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// nasty draws names as clients might send them: any bytes, with a liking for those that mean something to NATS and to
// our encoding.
func nasty() *rapid.Generator[string] {
	odd := rapid.StringOfN(rapid.SampledFrom([]rune(".=*> \r\n\t/:_-$aA0é\x00")), 0, 8, -1)
	bytes := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) })
	return rapid.OneOf(odd, bytes, rapid.StringMatching(`[A-Za-z0-9_.:-]{0,12}`), rapid.StringMatching(`=?[0-9A-F]{2}.?=`))
}

// wellFormed tells whether s is a literal subject: non-empty tokens without wildcards, spaces or control characters.
func wellFormed(s string) bool {
	for token := range strings.SplitSeq(s, ".") {
		if token == "" || !all(token, func(c byte) bool { return plain(c) || c == '=' || c == '$' }) {
			return false
		}
	}
	return true
}

func bijective(t *rapid.T) {
	s := nasty().Draw(t, "s")
	for name, f := range map[string]struct {
		encode func(string) string
		decode func(string) (string, error)
	}{"token": {EncodeToken, DecodeToken}, "path": {EncodePath, DecodePath}} {
		e := f.encode(s)
		if !wellFormed(e) {
			t.Fatalf("%s: %q becomes %q", name, s, e)
		}
		if name == "token" && strings.Contains(e, ".") {
			t.Fatalf("%q becomes more than one token: %q", s, e)
		}
		d, err := f.decode(e)
		if err != nil || d != s {
			t.Fatalf("%s: %q → %q → %q, %v", name, s, e, d, err)
		}
		// The other way round: what is decoded at all, is encoded to the same. So no two texts mean one name.
		if d, err := f.decode(s); err == nil && f.encode(d) != s {
			t.Fatalf("%s: %q → %q → %q", name, s, d, f.encode(d))
		}
	}
}

func TestEncodingIsBijective(t *testing.T) {
	t.Parallel()
	rapid.Check(t, bijective)
}

// named is a name of some kind, as a comparable value, with its subject.
type named struct {
	kind    string
	a, b    string
	n       uint64
	subject string
}

// drawNamed draws any name, also one that no Parse function would let pass: the subjects must be safe all the same.
func drawNamed(t *rapid.T, s Space, label string) named {
	a, b := nasty().Draw(t, label+" a"), nasty().Draw(t, label+" b")
	switch kind := rapid.SampledFrom([]string{"topic", "publish", "conn", "user", "node", "nodes", "event", "auth"}).Draw(t, label); kind {
	case "topic":
		return named{kind: kind, a: a, subject: s.Topic(Topic(a))}
	case "publish":
		return named{kind: kind, a: a, subject: s.Publish(Topic(a))}
	case "conn":
		n := rapid.Uint64().Draw(t, label+" n")
		return named{kind: kind, a: a, b: b, n: n, subject: s.Conn(ConnID{NodeID(a), n}, b)}
	case "user":
		return named{kind: kind, a: a, b: b, subject: s.User(UserID(a), b)}
	case "node":
		return named{kind: kind, a: a, b: b, subject: s.Node(NodeID(a), b)}
	case "nodes":
		return named{kind: kind, a: a, subject: s.Nodes(a)}
	case "event":
		return named{kind: kind, a: a, subject: s.Event(a)}
	default:
		return named{kind: kind, a: a, subject: s.Auth(a)}
	}
}

// reach: no name reaches the subject of another, of its own kind or of any other, or leaves the pool's space.
func reach(t *rapid.T) {
	s := Space{root: "sw.main"}
	one, two := drawNamed(t, s, "one"), drawNamed(t, s, "two")
	for _, n := range []named{one, two} {
		if !wellFormed(n.subject) || !strings.HasPrefix(n.subject, "sw.main.") {
			t.Fatalf("%+v", n)
		}
	}
	same := one.kind == two.kind && one.a == two.a && one.b == two.b && one.n == two.n
	if (one.subject == two.subject) != same {
		t.Fatalf("%+v and %+v", one, two)
	}
}

func TestNoNameReachesAnother(t *testing.T) {
	t.Parallel()
	rapid.Check(t, reach)
}

// TestSpacesApart: no name of one pool reaches a subject of another one, or a bucket of it.
func TestSpacesApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.StringMatching(`[A-Za-z0-9-]{1,3}`)
		pool := rapid.StringMatching(`[A-Za-z0-9_-]{1,4}`)
		p1, p2 := prefix.Draw(t, "prefix 1"), prefix.Draw(t, "prefix 2")
		n1, n2 := pool.Draw(t, "pool 1"), pool.Draw(t, "pool 2")
		s1, err1 := NewSpace(p1, Pool(n1))
		s2, err2 := NewSpace(p2, Pool(n2))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		same := p1 == p2 && n1 == n2
		if (s1.Root() == s2.Root()) != same || (Prefix(p1).Lattices(Pool(n1)) == Prefix(p2).Lattices(Pool(n2))) != same {
			t.Fatalf("%s %s and %s %s", p1, n1, p2, n2)
		}
		if Prefix(p1).Lattices(Pool(n1)) == Prefix(p2).NodesBucket() {
			t.Fatalf("%s %s is the bucket of the nodes of %s", p1, n1, p2)
		}
		topic := Topic(nasty().Draw(t, "topic"))
		if !same && strings.HasPrefix(s1.Topic(topic), s2.Root()+".") {
			t.Fatalf("%s reaches %s", s1.Topic(topic), s2.Root())
		}
	})
}

// TestRoundTrip: what is sent to a subject is read from it again.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := space(t)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-z0-9_.:-]{1,30}`).Draw(t, "name")
		op := nasty().Draw(t, "op")
		topic, err := ParseTopic(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.ParseTopic(s.Topic(topic)); err != nil || got != topic {
			t.Fatalf("topic %q: %q, %v", topic, got, err)
		}
		if got, err := s.ParsePublish(s.Publish(topic)); err != nil || got != topic {
			t.Fatalf("publish %q: %q, %v", topic, got, err)
		}
		if got, gotOp, err := s.ParseUser(s.User(UserID(name), op)); err != nil || got != UserID(name) || gotOp != op {
			t.Fatalf("user %q %q: %q, %q, %v", name, op, got, gotOp, err)
		}
		id := ConnID{NodeID(rapid.StringMatching(`[A-Za-z0-9_-]{32}`).Draw(t, "node")), rapid.Uint64().Draw(t, "n")}
		if got, gotOp, err := s.ParseConn(s.Conn(id, op)); err != nil || got != id || gotOp != op {
			t.Fatalf("conn %v %q: %v, %q, %v", id, op, got, gotOp, err)
		}
		if got, err := ParseConnID(id.String()); err != nil || got != id {
			t.Fatalf("%v: %v, %v", id, got, err)
		}
		if string(id.AppendTo(nil)) != id.String() {
			t.Fatal("AppendTo differs from String")
		}
	})
}

// TestLengths: names that were let in make subjects of at most 1,024 bytes, the operation included.
func TestLengths(t *testing.T) {
	t.Parallel()
	s, err := NewSpace(x(MaxRoot), Pool(x(MaxRoot)))
	if err != nil {
		t.Fatal(err)
	}
	longest := func(parse func(string) error, char string) string {
		name := ""
		for parse(name+char) == nil {
			name += char
		}
		return name
	}
	topic := func(n string) error { _, err := ParseTopic(n); return err }
	user := func(n string) error { _, err := ParseUserID(n); return err }
	method := func(n string) error {
		if !Method(n).OnNATS() {
			return ErrSyntax
		}
		return nil
	}
	for _, c := range []string{"x", ":", "."} {
		for _, subject := range []string{
			s.Topic(Topic(longest(topic, c))), s.Publish(Topic(longest(topic, c))), s.User(UserID(longest(user, c)), x(32)),
		} {
			if len(subject) > 1024 {
				t.Errorf("%d bytes with %q", len(subject), c)
			}
		}
	}
	call, ok := s.Call(longest(CheckBase, "x"), Method(longest(method, "x")))
	if !ok || len(call) > 1024 {
		t.Errorf("call of %d bytes, %v", len(call), ok)
	}
}
