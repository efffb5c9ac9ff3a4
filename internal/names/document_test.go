package names

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestStoreKeys(t *testing.T) {
	t.Parallel()
	for want, doc := range map[string]Doc{
		"chat=2Eroom.s.q=3A7":    SharedOf("chat.room", "q:7"),
		"chat.p.a=2Eb":           PrivateOf("chat", "a.b"),
		"idle.a=3A1":             RecordOf("a:1"),
		"idle.s.k":               SharedOf("idle", "k"),
		"idle.p.u":               PrivateOf("idle", "u"),
		"s.p.s":                  PrivateOf("s", "s"),
		x(400) + ".s." + x(400):  SharedOf(Namespace(x(400)), Key(x(400))),
		x(400) + ".p." + x(400):  PrivateOf(Namespace(x(400)), UserID(x(400))),
		"idle." + x(400):         RecordOf(UserID(x(400))),
		"=2E.s." + "=2E=2E=3A-_": SharedOf(".", "..:-_"),
	} {
		if got := doc.StoreKey(); got != want {
			t.Errorf("%+v has the key %q, want %q", doc, got, want)
		}
		got, err := ParseStoreKey(want)
		if diff := cmp.Diff(doc, got); err != nil || diff != "" {
			t.Errorf("%.40q: %v\n%s", want, err, diff)
		}
	}
}

func TestStoreKeysRefused(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]error{
		"": ErrSyntax, "chat": ErrSyntax, "idle": ErrSyntax, "idle.": ErrSyntax, "idle.=": ErrSyntax, "other.u": ErrSyntax, "IDLE.u": ErrSyntax,
		"chat.s": ErrSyntax, "chat.s.": ErrSyntax, "chat.s.=": ErrSyntax, "chat.x.k": ErrSyntax, "chat.S.k": ErrSyntax, "chat..k": ErrSyntax,
		".s.k": ErrSyntax, "=.s.k": ErrSyntax, "chat.s.k.l": ErrSyntax, "chat.s.a=2Fb": ErrSyntax, "a=2Fb.s.k": ErrSyntax, "a=3Ab.s.k": ErrSyntax,
		"chat.s.=41": ErrSyntax, "chat.s.=3a": ErrSyntax, "chat.s.a:b": ErrSyntax, "chat.p.*": ErrSyntax, "idle.a b": ErrSyntax, "=69dle.u": ErrSyntax,
		"swindon=2Ex.s.k": ErrReserved, x(401) + ".s.k": ErrTooLong, "chat.s." + x(401): ErrTooLong, "chat.p." + x(401): ErrTooLong,
		"idle." + x(401): ErrTooLong,
	} {
		if doc, err := ParseStoreKey(key); !errors.Is(err, want) {
			t.Errorf("%.40q is read as %+v, %v, want %v", key, doc, err, want)
		}
	}
}

// TestLongestSubjects: the longest names have subjects that a NATS server takes with room to spare.
func TestLongestSubjects(t *testing.T) {
	t.Parallel()
	bucket := Prefix(x(MaxRoot)).Lattices(Pool(x(MaxRoot)))
	doc := SharedOf(Namespace(x(MaxEncoded)), Key(x(MaxEncoded)))
	key, err := bucket.Key(doc.StoreKey())
	if err != nil || len(key) > 1024 {
		t.Errorf("the subject of a value has %d bytes: %v", len(key), err)
	}
	get, err := bucket.DirectGet(doc.StoreKey())
	if err != nil || len(get) > 1536 { // it holds the subject of the value and the stream's name
		t.Errorf("the subject to ask for it has %d bytes: %v", len(get), err)
	}
	s, err := NewSpace(x(MaxRoot), Pool(x(MaxRoot)))
	if err != nil {
		t.Fatal(err)
	}
	ns, user := Namespace(x(MaxEncoded)), UserID(x(MaxEncoded))
	for _, subject := range []string{s.Lattice(ns), s.Record(user), s.UpdateLattice(ns), s.Load(ns)} {
		if len(subject) > 1024 {
			t.Errorf("%.140s… has %d bytes", subject, len(subject))
		}
	}
}

// drawDoc draws the name of a document.
func drawDoc(t *rapid.T, label string) Doc {
	ns, name := drawNamespace(t, label+" namespace"), drawIdentifier(t, label+" name")
	switch rapid.IntRange(0, 2).Draw(t, label) {
	case 0:
		return SharedOf(ns, Key(name))
	case 1:
		return PrivateOf(ns, UserID(name))
	default:
		return RecordOf(UserID(name))
	}
}

// fits tells whether a key is one that a filter's pattern matches.
func fits(pattern, key string) bool {
	p, k := strings.Split(pattern, "."), strings.Split(key, ".")
	for i := range p {
		if p[i] == ">" {
			return len(k) > i
		}
		if i >= len(k) || p[i] != "*" && p[i] != k[i] {
			return false
		}
	}
	return len(p) == len(k)
}

// storeKeys: a key is read back as its document, no two documents have the same, all fit into a bucket, and each filter
// finds exactly its own.
func storeKeys(t *rapid.T) {
	a, b := drawDoc(t, "a"), drawDoc(t, "b")
	if got, err := ParseStoreKey(a.StoreKey()); err != nil || got != a {
		t.Fatalf("%+v → %q → %+v, %v", a, a.StoreKey(), got, err)
	}
	if a != b && a.StoreKey() == b.StoreKey() {
		t.Fatalf("%+v and %+v have the same key %q", a, b, a.StoreKey())
	}
	bucket := Prefix("sw").Lattices("main")
	s, err := bucket.Key(a.StoreKey())
	if err != nil || len(s) > 1024 || !wellFormed(s) {
		t.Fatalf("%+v has the subject %q, %v", a, s, err)
	}
	if key, ok := bucket.KeyOf(s); !ok || key != a.StoreKey() {
		t.Fatalf("the key of %q is %q", s, key)
	}
	for filter, want := range map[string]bool{
		AllDocs: true, AllRecords: a.Kind == RecordDoc, AllShared: a.Kind == SharedDoc,
		SharedIn(b.Namespace): a.Kind == SharedDoc && a.Namespace == b.Namespace,
		PrivateFor(b.User):    a.Kind == PrivateDoc && a.User == b.User,
	} {
		if got := fits(filter, a.StoreKey()); got != want {
			t.Fatalf("filter %q on %+v: %v", filter, a, got)
		}
	}
}

func TestStoreKeysAreBijective(t *testing.T) {
	t.Parallel()
	rapid.Check(t, storeKeys)
}

func FuzzStoreKeys(f *testing.F) { f.Fuzz(rapid.MakeFuzz(storeKeys)) }

func FuzzParseStoreKey(f *testing.F) {
	for _, key := range []string{"chat=2Eroom.s.q=3A7", "chat.p.a=2Eb", "idle.u", "a=2Fb.s.k", "=.s.=", "idle.s.k", "swindon=2Ex.s.k"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		doc, err := ParseStoreKey(key)
		if err != nil {
			return
		}
		if doc.StoreKey() != key {
			t.Fatalf("%q is read as %+v, whose key is %q", key, doc, doc.StoreKey())
		}
		subject, err := Prefix("sw").Lattices("main").Key(key)
		if err != nil || len(subject) > 1024 {
			t.Fatalf("%q has the subject %q, %v", key, subject, err)
		}
	})
}

// TestOtherBucket: a subject of another bucket has no key here.
func TestOtherBucket(t *testing.T) {
	t.Parallel()
	b := Prefix("sw").Lattices("main")
	for _, subject := range []string{"$KV.sw_main_lat2.a", "$KV.sw_other_lat.a", "$KV.sw_main_lat", "a"} {
		if key, ok := b.KeyOf(subject); ok {
			t.Errorf("%q has the key %q", subject, key)
		}
	}
	got := []string{b.Filter("*.s.*"), b.AnyDirectGet(), b.LeaderGet(), b.Info()}
	want := []string{
		"$KV.sw_main_lat.*.s.*", "$JS.API.DIRECT.GET.KV_sw_main_lat", "$JS.API.STREAM.MSG.GET.KV_sw_main_lat",
		"$JS.API.STREAM.INFO.KV_sw_main_lat",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
