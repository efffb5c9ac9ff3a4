package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// fakeReplica answers the batch requests of a bucket instead of JetStream, the n-th request with the n-th script and
// each after the last with that one again. A script is the status lines and values to send.
type fakeReplica struct {
	store *Store
	asked chan batch
}

// reply is one message of a script: a status, or a value when there is none.
type reply struct {
	status, text       string
	key, value         string
	seq, before, after uint64 // Nats-Sequence, Nats-Last-Sequence, Nats-Num-Pending
	drop               string // a header to leave out
}

func (r reply) message(bucket names.Bucket, to string) *nats.Msg {
	m := nats.NewMsg(to)
	set := func(name, value string) {
		if name != r.drop {
			m.Header.Set(name, value)
		}
	}
	if r.status != "" {
		set("Status", r.status)
		set("Description", r.text)
	} else {
		set("Nats-Subject", bucket.Filter(r.key))
		set("Nats-Sequence", fmt.Sprint(r.seq))
		m.Data = []byte(r.value)
	}
	set("Nats-Last-Sequence", fmt.Sprint(r.before))
	set("Nats-Num-Pending", fmt.Sprint(r.after))
	return m
}

func newFakeReplica(t *testing.T, scripts ...[]reply) *fakeReplica {
	t.Helper()
	srv, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	cfg := DefaultConfig()
	cfg.URL = []string{srv.ClientURL()}
	b := open(t, cfg, quiet(t, testNode))
	f := &fakeReplica{store: &Store{bucket: "fake", calls: b.calls}, asked: make(chan batch, 100)}
	f.store.ready.Store(true)
	nc, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	n := 0
	_, err = nc.Subscribe(f.store.bucket.AnyDirectGet(), func(m *nats.Msg) {
		var req batch
		if err := json.Unmarshal(m.Data, &req); err != nil {
			t.Error(err)
		}
		f.asked <- req
		for _, r := range scripts[min(n, len(scripts)-1)] {
			_ = nc.PublishMsg(r.message(f.store.bucket, m.Reply)) // who asked may be satisfied, and the test over
		}
		n++
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return f
}

// requests lists the keys that were asked for.
func (f *fakeReplica) requests() []string {
	var out []string
	for range len(f.asked) {
		req := <-f.asked
		out = append(out, strings.ReplaceAll(strings.Join(req.Last, " "), "$KV.fake.", ""))
	}
	return out
}

var (
	eob = func(before, after uint64) reply {
		return reply{status: "204", text: "EOB", before: before, after: after}
	}
	replaced = reply{status: "404", text: "Message Not Found"}
	valueOf  = func(key string, seq, before uint64) reply {
		return reply{key: key, value: key, seq: seq, before: before}
	}
)

// TestGetManyAnswers: answers that are broken or not whole never pass for values that are absent.
func TestGetManyAnswers(t *testing.T) {
	t.Parallel()
	a, b := valueOf("a", 3, 0), valueOf("b", 5, 3)
	noKey, foreign, noSeq, noPending := a, a, a, eob(3, 0)
	noKey.drop, noSeq.drop, noPending.drop = "Nats-Subject", "Nats-Sequence", "Nats-Num-Pending"
	foreign.key = "a.b.c"
	for name, tt := range map[string]struct {
		scripts [][]reply
		want    string // values, "-" for none
		err     error
		asked   []string
	}{
		"all":                   {[][]reply{{a, b, eob(5, 0)}}, "a b -", nil, []string{"a b c"}},
		"none":                  {[][]reply{{{status: "404", text: "No Results"}}}, "- - -", nil, []string{"a b c"}},
		"in pieces":             {[][]reply{{a, eob(3, 1)}, {valueOf("b", 5, 0), eob(5, 0)}}, "a b -", nil, []string{"a b c", "b c"}},
		"all but said not":      {[][]reply{{a, b, valueOf("c", 6, 5), eob(6, 1)}}, "a b c", nil, []string{"a b c"}},
		"replaced meanwhile":    {[][]reply{{replaced}, {a, replaced}, {valueOf("b", 9, 0), eob(9, 0)}}, "a b -", nil, []string{"a b c", "a b c", "b c"}},
		"replaced all the time": {[][]reply{{replaced}}, "", port.ErrUnavailable, slices.Repeat([]string{"a b c"}, batchTries)},
		"not asked for":         {[][]reply{{a, valueOf("z", 4, 3), eob(4, 0)}}, "a - -", nil, []string{"a b c"}},
		"one missing":           {[][]reply{{a, valueOf("c", 7, 5), eob(7, 0)}}, "", port.ErrTimeout, []string{"a b c"}},
		"first missing":         {[][]reply{{b, eob(5, 0)}}, "", port.ErrTimeout, []string{"a b c"}},
		"last missing":          {[][]reply{{a, eob(5, 0)}}, "", port.ErrTimeout, []string{"a b c"}},
		"no end":                {[][]reply{{a, b}}, "", port.ErrTimeout, []string{"a b c"}},
		"refused":               {[][]reply{{{status: "413", text: "Too Many Results"}}}, "", port.ErrUnavailable, []string{"a b c"}},
		"no subject":            {[][]reply{{noKey, eob(3, 0)}}, "", port.ErrUnavailable, []string{"a b c"}},
		"longer key":            {[][]reply{{foreign, eob(3, 0)}}, "- - -", nil, []string{"a b c"}},
		"no sequence":           {[][]reply{{noSeq, eob(3, 0)}}, "", port.ErrUnavailable, []string{"a b c"}},
		"no count":              {[][]reply{{a, noPending}}, "", port.ErrUnavailable, []string{"a b c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeReplica(t, tt.scripts...)
			c, cancel := context.WithTimeout(t.Context(), patience)
			if name == "no end" {
				c, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
			}
			defer cancel()
			got, err := f.store.GetMany(c, []string{"a", "b", "c"})
			if !errors.Is(err, tt.err) || err != nil && got != nil {
				t.Fatalf("%v, %v, want %v", got, err, tt.err)
			}
			var values []string
			for _, e := range got {
				if e.Value == nil {
					values = append(values, "-")
				} else {
					values = append(values, string(e.Value))
				}
			}
			if strings.Join(values, " ") != tt.want {
				t.Errorf("got %q, want %q", values, tt.want)
			}
			if asked := f.requests(); !slices.Equal(asked, tt.asked) {
				t.Errorf("asked for %q, want %q", asked, tt.asked)
			}
			empty(t, f.store.calls)
		})
	}
}

// TestChangesAnswers: the same for changes; a key that comes twice in one answer counts with its later change.
func TestChangesAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script []reply
		want   string
		more   uint64
		err    error
	}{
		"twice":       {[]reply{valueOf("a", 3, 0), valueOf("b", 5, 3), valueOf("a", 6, 5), eob(6, 2)}, "b5 a6", 2, nil},
		"none":        {[]reply{{status: "404", text: "Message Not Found"}}, "", 0, nil},
		"one missing": {[]reply{valueOf("a", 3, 0), valueOf("b", 5, 4), eob(5, 0)}, "", 0, port.ErrTimeout},
		"refused":     {[]reply{{status: "408", text: "Bad Request"}}, "", 0, port.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeReplica(t, tt.script)
			p, err := f.store.Changes(ctx(t), "*.s.*", 2, 5000)
			if !errors.Is(err, tt.err) || err != nil && p.Changes != nil {
				t.Fatalf("%v, %v, want %v", p, err, tt.err)
			}
			var got []string
			for _, c := range p.Changes {
				got = append(got, fmt.Sprint(c.Key, c.Revision))
			}
			if strings.Join(got, " ") != tt.want || p.More != tt.more {
				t.Errorf("got %q and %d more, want %s and %d", got, p.More, tt.want, tt.more)
			}
			if req := <-f.asked; req.Seq != 3 || req.Batch != batchKeys || req.Next != "$KV.fake.*.s.*" || req.MaxBytes != batchBytes {
				t.Errorf("asked for %+v", req)
			}
		})
	}
}

// TestBatchAway: without any replica, and without the bucket, everything fails at once.
func TestBatchAway(t *testing.T) {
	t.Parallel()
	f := newFakeReplica(t, []reply{{status: "404", text: "No Results"}})
	f.store.bucket = "other" // nobody serves it
	for _, ready := range []bool{true, false} {
		f.store.ready.Store(ready)
		_, many := f.store.GetMany(ctx(t), []string{"a", "b"})
		_, changes := f.store.Changes(ctx(t), ">", 0, 10)
		_, last := f.store.LastSequence(ctx(t))
		for what, err := range map[string]error{"GetMany": many, "Changes": changes, "LastSequence": last} {
			if !errors.Is(err, port.ErrUnavailable) {
				t.Errorf("ready %v: %s: %v", ready, what, err)
			}
		}
	}
	if len(f.asked) > 0 {
		t.Error("another bucket was asked")
	}
}

// TestFits: a request is bounded in subjects and bytes, and always makes progress.
func TestFits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ n, size, want int }{
		{1, 10, 1}, {1024, 10, 1024}, {1025, 10, 1024}, {5000, 100, 1024}, {1000, 1000, 261}, {3, batchAsk, 1}, {1, 2 * batchAsk, 1},
	} {
		if got := fits(slices.Repeat([]string{strings.Repeat("x", tt.size)}, tt.n)); got != tt.want {
			t.Errorf("of %d subjects of %d bytes %d fit, want %d", tt.n, tt.size, got, tt.want)
		}
	}
}
