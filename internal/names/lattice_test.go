package names

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestLatticeSubjects: the contract of docs/protocol/nats.md, to the byte.
func TestLatticeSubjects(t *testing.T) {
	t.Parallel()
	s := space(t)
	got := map[string]string{
		"lattice":       s.Lattice("chat.room_1"),
		"record":        s.Record("a.b:1"),
		"announcements": s.Announcements(),
		"update":        s.UpdateLattice("chat.room"),
		"updates":       s.LatticeUpdates(),
		"load":          s.Load("chat"),
		"loads":         s.Loads(),
	}
	want := map[string]string{
		"lattice":       "sw.main.lat.chat=2Eroom_1",
		"record":        "sw.main.lat.idle.a=2Eb=3A1",
		"announcements": "sw.main.lat.>",
		"update":        "sw.main.api.lattice.chat=2Eroom",
		"updates":       "sw.main.api.lattice.*",
		"load":          "sw.main.load.chat",
		"loads":         "sw.main.load.>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		err  error
	}{
		{"q:7", nil},
		{"a", nil},
		{"A-z_0.9:", nil},
		{"..", nil},
		{x(400), nil},
		{strings.Repeat(":", 133) + "a", nil},
		{"", ErrSyntax},
		{"a b", ErrSyntax},
		{"a/b", ErrSyntax},
		{"*", ErrSyntax},
		{">", ErrSyntax},
		{"é", ErrSyntax},
		{"a\x00", ErrSyntax},
		{x(401), ErrTooLong},
		{strings.Repeat(":", 134), ErrTooLong},
	} {
		got, err := ParseKey(tt.text)
		if !errors.Is(err, tt.err) || err == nil && string(got) != tt.text || err != nil && got != "" {
			t.Errorf("%.20q: %.20q, %v, want %v", tt.text, got, err, tt.err)
		}
	}
}

func TestParseNamespace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want Namespace
		err  error
	}{
		{"chat", "chat", nil},
		{"chat.room_1-x", "chat.room_1-x", nil},
		{".", ".", nil},
		{"idle", "idle", nil},
		{"swindon", "swindon", nil},
		{x(400), Namespace(x(400)), nil},
		{"swindon.user", "swindon.user", ErrReserved},
		{"", "", ErrSyntax},
		{"chat/room", "", ErrSyntax},
		{"swindon/user", "", ErrSyntax},
		{"a:b", "", ErrSyntax},
		{"a b", "", ErrSyntax},
		{x(401), "", ErrTooLong},
		{strings.Repeat(".", 134), "", ErrTooLong},
	} {
		if got, err := ParseNamespace(tt.text); !errors.Is(err, tt.err) || got != tt.want {
			t.Errorf("%.20q: %.20q, %v, want %v", tt.text, got, err, tt.err)
		}
	}
}

// TestLatticeSubjectsRefused: what only looks like one of ours is not read.
func TestLatticeSubjectsRefused(t *testing.T) {
	t.Parallel()
	s := space(t)
	for _, subject := range []string{
		"", "sw.main.lat", "sw.main.lat.", "sw.main.lat.a.b", "sw.main.lat.idle.", "sw.main.lat.idle.a.b", "sw.main.lat.a=2Fb",
		"sw.main.lat.=", "sw.main.lat.idle.=", "sw.main.lat.=41", "sw.main.lat.a=3Ab", "sw.main.lat.idle.=2F", "sw.other.lat.a", "sw.main.lat.*",
		"sw.main.lat.>", "sw.main.load.a", "sw.main.lat.idle.a=3", "sw.main.lat." + x(401), "sw.main.lat.idle." + x(401),
	} {
		if ns, u, err := s.ParseAnnouncement(subject); err == nil {
			t.Errorf("announcement %.30q is read as %q, %q", subject, ns, u)
		}
	}
	for _, tail := range []string{"", ".", ".a.b", ".=", ".*", ".=41", ".a=2Fb", ".a=3Ab", "." + x(401)} {
		if ns, err := s.ParseLatticeUpdate("sw.main.api.lattice" + tail); err == nil {
			t.Errorf("update %.30q is read as %q", tail, ns)
		}
		if ns, err := s.ParseLoad("sw.main.load" + tail); err == nil {
			t.Errorf("load %.30q is read as %q", tail, ns)
		}
	}
	for _, subject := range []string{"sw.other.load.a", "sw.main.api.lattice.a", "sw.main.loads.a"} {
		if _, err := s.ParseLoad(subject); err == nil {
			t.Errorf("%q is read as a load", subject)
		}
	}
	// What belongs to the gateway is told apart from what is no name.
	if ns, _, err := s.ParseAnnouncement("sw.main.lat.swindon=2Ex"); !errors.Is(err, ErrReserved) {
		t.Errorf("a reserved namespace: %q, %v", ns, err)
	}
}

// drawNamespace, drawUser and drawKey draw valid names, with a liking for short ones that could be taken for another.
func drawNamespace(t *rapid.T, label string) Namespace {
	s := rapid.OneOf(rapid.StringMatching(`[a-b._-]{1,4}`), rapid.SampledFrom([]string{"idle", "s", "p", "swindon", "idle.s", "a.p.b"}),
		rapid.StringMatching(`[A-Za-z0-9_.-]{1,130}`)).Draw(t, label)
	ns, err := ParseNamespace(s)
	if err != nil {
		return "chat"
	}
	return ns
}

func drawIdentifier(t *rapid.T, label string) string {
	return rapid.OneOf(rapid.StringMatching(`[a-b.:_-]{1,4}`), rapid.SampledFrom([]string{"idle", "s", "p", "s.s", "p.p"}),
		rapid.StringMatching(`[A-Za-z0-9_.:-]{1,130}`)).Draw(t, label)
}

func TestAnnouncementsReadBack(t *testing.T) {
	t.Parallel()
	s := space(t)
	rapid.Check(t, func(t *rapid.T) {
		ns, user := drawNamespace(t, "namespace"), UserID(drawIdentifier(t, "user"))
		if got, u, err := s.ParseAnnouncement(s.Lattice(ns)); err != nil || got != ns || u != "" {
			t.Fatalf("namespace %q is read as %q, %q, %v", ns, got, u, err)
		}
		if got, u, err := s.ParseAnnouncement(s.Record(user)); err != nil || got != "" || u != user {
			t.Fatalf("user %q is read as %q, %q, %v", user, got, u, err)
		}
		if got, err := s.ParseLatticeUpdate(s.UpdateLattice(ns)); err != nil || got != ns {
			t.Fatalf("update of %q is read as %q, %v", ns, got, err)
		}
		if got, err := s.ParseLoad(s.Load(ns)); err != nil || got != ns {
			t.Fatalf("load of %q is read as %q, %v", ns, got, err)
		}
		for _, subject := range []string{s.Lattice(ns), s.Record(user), s.UpdateLattice(ns), s.Load(ns)} {
			if !wellFormed(subject) || len(subject) > 1024 {
				t.Fatalf("subject %q", subject)
			}
		}
	})
}

func FuzzParseAnnouncement(f *testing.F) {
	s := space(f)
	for _, subject := range []string{s.Lattice("chat.room"), s.Record("a.b:1"), "sw.main.lat.a=2Fb", "sw.main.lat.idle", "sw.main.lat.=.="} {
		f.Add(subject)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		ns, user, err := s.ParseAnnouncement(subject)
		switch {
		case err != nil:
		case (ns == "") == (user == ""):
			t.Fatalf("%q is read as both or neither: %q, %q", subject, ns, user)
		case ns != "" && s.Lattice(ns) != subject:
			t.Fatalf("%q is read as %q, whose subject is %q", subject, ns, s.Lattice(ns))
		case user != "" && s.Record(user) != subject:
			t.Fatalf("%q is read as user %q, whose subject is %q", subject, user, s.Record(user))
		}
	})
}
