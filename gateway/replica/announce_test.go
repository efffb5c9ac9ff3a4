package replica

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

const testSpace = names.Namespace("desk.queues")

// lonely returns a Set that is not started.
func lonely(tb testing.TB, maxPayload int64) *Set {
	tb.Helper()
	bus := memory.NewNetwork(maxPayload).Join()
	space, err := names.NewSpace("sw", "main")
	if err != nil {
		tb.Fatal(err)
	}
	s, err := New(Deps{
		Node: "node0000000000000000000000000001", Space: space, Bus: bus, Store: bus.Store("main"), Metrics: &Metrics{},
		Live: func() []names.NodeID { return nil }, Limits: lattice.DefaultLimits, Log: slog.New(slog.DiscardHandler),
	}, DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func state(tb testing.TB, text string) lattice.State {
	tb.Helper()
	st, err := lattice.ParseState([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return st
}

func all(names.Doc) bool { return true }

// TestAnnouncementForms holds the text of announcements (docs/adr/0017) and that it is read as it is written.
func TestAnnouncementForms(t *testing.T) {
	t.Parallel()
	s := lonely(t, 0)
	var keys lattice.Keys
	keys.Put("q:7", state(t, `{".gen":5,"read_counter":2}`))
	batch := []docChange{
		{doc: names.SharedOf(testSpace, "q:7"), seq: 12, prev: 7, delta: content{shared: state(t, `{".end":99999999999999,"n_counter":4}`)}},
		{doc: names.PrivateOf(testSpace, "ann"), seq: 13, delta: content{private: keys}},
		{doc: names.SharedOf(testSpace, "q:8"), seq: 14, prev: 9, form: asGone},
		{doc: names.SharedOf(testSpace, "q:9"), seq: 15, prev: 1, form: asUnknown},
		{doc: names.SharedOf(testSpace, "q:0"), form: asUpdate, delta: content{shared: state(t, `{"s_set":["a"]}`)}},
	}
	want := `{"docs":[{"s":"q:7","seq":12,"prev":7,"d":{".end":99999999999999,"n_counter":4}},` +
		`{"p":"ann","seq":13,"prev":0,"d":{"q:7":{".gen":5,"read_counter":2}}},` +
		`{"s":"q:8","seq":14,"prev":9,"gone":true},{"s":"q:9","seq":15,"prev":1},{"s":"q:0","d":{"s_set":["a"]}}]}`
	bodies := s.bodies(batch, nil)
	if len(bodies) != 1 || string(bodies[0]) != want {
		t.Fatalf("announcement: %s", bodies)
	}
	got, err := s.parseDocs(testSpace, bodies[0], all)
	if err != nil || len(got) != len(batch) {
		t.Fatalf("read: %v, %v", got, err)
	}
	for i := range got {
		a, b := got[i].appendTo(nil), batch[i].appendTo(nil)
		if string(a) != string(b) || got[i].form != batch[i].form || got[i].doc != batch[i].doc {
			t.Errorf("%d: read %s (%d), was %s (%d)", i, a, got[i].form, b, batch[i].form)
		}
	}
	n := uint64(16)
	if b := s.bodies(batch[3:4], func() uint64 { n++; return n }); string(b[0]) != `{"n":17,"docs":[{"s":"q:9","seq":15,"prev":1}]}` {
		t.Errorf("mesh: %s", b)
	}
}

// TestAnnouncementSplit: what does not fit into a message goes out in several; a document that fits into none is
// announced without its delta.
func TestAnnouncementSplit(t *testing.T) {
	t.Parallel()
	s := lonely(t, 1000)
	var batch []docChange
	for i := range 20 {
		text := fmt.Sprintf(`{"s_set":["%s"]}`, strings.Repeat("x", 50*i))
		batch = append(batch, docChange{doc: names.SharedOf(testSpace, names.Key(fmt.Sprint(i))), seq: uint64(i + 1), delta: content{shared: state(t, text)}})
	}
	n := uint64(0)
	bodies := s.bodies(batch, func() uint64 { n++; return n })
	var got []docChange
	for i, b := range bodies {
		if len(b) > 1000 {
			t.Errorf("message of %d bytes", len(b))
		}
		if err := jsontext.Check(b); err != nil || number(b, "n") != uint64(i+1) {
			t.Fatalf("%s: %v", b, err)
		}
		part, err := s.parseDocs(testSpace, b, all)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, part...)
	}
	if len(got) != len(batch) || len(bodies) < 5 {
		t.Fatalf("%d documents in %d messages", len(got), len(bodies))
	}
	for i := range got {
		if big := len(batch[i].appendTo(nil)) > 920; got[i].doc != batch[i].doc || (got[i].form == asUnknown) != big {
			t.Errorf("%d: %v, form %d", i, got[i].doc, got[i].form)
		}
	}
}

func TestBadAnnouncements(t *testing.T) {
	t.Parallel()
	s := lonely(t, 0)
	for _, body := range []string{
		``, `{}`, `[]`, `{"docs":{}}`, `{"docs":[{}]}`, `{"docs":[{"s":7}]}`, `{"docs":[{"s":""}]}`, `{"docs":[{"s":"a b"}]}`,
		`{"docs":[{"p":"*"}]}`, `{"docs":[{"s":"a","seq":-1}]}`, `{"docs":[{"s":"a","seq":1,"d":[]}]}`,
		`{"docs":[{"s":"a","seq":1,"d":{"n_counter":-1}}]}`, `{"docs":[{"s":"a","seq":1,"d":{"n_counter":1`,
	} {
		batch, err := s.parseDocs(testSpace, []byte(body), all)
		if err == nil {
			t.Errorf("%s is read as %v", body, batch)
		}
	}
	for _, subject := range []string{"sw.main.lat", "sw.main.lat.a.b.c", "sw.main.lat.x.ann", "sw.main.lat.=zz", "other"} {
		before := s.metrics.bad.Load()
		if s.Hear(port.Message{Subject: subject, Data: []byte(`{"docs":[]}`)}); s.metrics.bad.Load() != before+1 {
			t.Errorf("subject %s is taken", subject)
		}
	}
}

// FuzzHear: nothing that comes over NATS makes it panic.
func FuzzHear(f *testing.F) {
	for _, body := range []string{
		`{"docs":[{"s":"q:7","seq":12,"prev":7,"d":{"n_counter":4}},{"p":"ann","seq":13,"prev":0,"d":{"q:7":{}}}]}`,
		`{"seq":4,"prev":3,"r":{"a":1}}`, `{"n":1,"docs":[]}`, `{"lat":4,"n":3,"sums":{"a.b":5}}`, `{"to":"x","after":"","docs":["a.s.b"]}`,
		`{"records":[{"u":"ann","r":1,"end":5}],"next":"a"}`, `["a.s.b"]`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := lonely(t, 0)
		m := lonely(t, 0)
		m.store, m.mesh, m.early = nil, newMesh(m), 0
		for _, x := range []*Set{s, m} {
			h := port.Header{port.HeaderNode: {"node0000000000000000000000000002"}}
			x.Hear(port.Message{Subject: x.deps.Space.Lattice(testSpace), Header: h, Data: body})
			x.Hear(port.Message{Subject: x.deps.Space.Record("ann"), Header: h, Data: body})
			x.HearBeat("node0000000000000000000000000002", body)
			x.HearViewers(port.Message{Subject: x.deps.Space.Nodes("viewers"), Reply: "r", Header: h, Data: body})
			x.HearLoad(port.Message{Subject: x.deps.Space.Load(testSpace), Reply: "r", Header: h, Data: body})
			x.Stop()
		}
		_ = m.mesh.takeRecords(body)
	})
}

// BenchmarkHear is an announcement of two documents that nobody here follows.
func BenchmarkHear(b *testing.B) {
	s := lonely(b, 0)
	m := port.Message{
		Subject: s.deps.Space.Lattice(testSpace),
		Data:    []byte(`{"docs":[{"s":"q:7","seq":12,"prev":7,"d":{"size_counter":4,"tags_set":["x","y"]}},{"p":"ann","seq":13,"prev":0,"d":{"q:7":{"read_counter":2}}}]}`),
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Hear(m)
	}
}

// changes keeps what a watcher was told.
type changes []string

func (w *changes) Changed(c *Change) { *w = append(*w, string(c.Data)) }

// TestEndedJustNow: a key that has ended is not told of, also before anybody has had the time to take it away.
func TestEndedJustNow(t *testing.T) {
	t.Parallel()
	s := lonely(t, 0)
	now := time.UnixMilli(1_700_000_000_000)
	s.deps.Now = func() time.Time { return now }
	v, err := s.Open(t.Context(), testSpace, "ann")
	if err != nil {
		t.Fatal(err)
	}
	var got changes
	v.Attach(&got, nil)
	var keys lattice.Keys
	keys.Put("q:1", state(t, `{".end":1700000001000}`))
	keys.Put("q:2", state(t, `{".end":1700000001000}`))
	seq := uint64(0)
	tell := func(form form, text string, of ...names.Key) {
		batch := make([]docChange, 0, len(of))
		for _, k := range of {
			seq++
			batch = append(batch, docChange{doc: names.SharedOf(testSpace, k), seq: seq, form: form, delta: content{shared: state(t, text)}})
		}
		s.deliver(testSpace, batch)
	}
	seq++
	s.deliver(testSpace, []docChange{{doc: names.PrivateOf(testSpace, "ann"), seq: seq, delta: content{private: keys}}})
	tell(asWhole, `{"n_counter":1}`, "q:1", "q:2")
	got = nil
	tell(asDelta, `{"n_counter":2}`, "q:1")
	tell(asDelta, `{"n_counter":3}`, "q:1", "q:2")
	if len(got) != 2 {
		t.Fatalf("before the end: %q", got)
	}
	now = now.Add(time.Second)
	tell(asDelta, `{"n_counter":4}`, "q:1")
	tell(asDelta, `{"n_counter":5}`, "q:1", "q:2")
	if len(got) != 2 {
		t.Errorf("after the end: %q", got[2:])
	}
}
