package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/integration/testkit"
)

const (
	historyUsers   = 10
	historyClients = 20 // two devices for each user
	historyWriters = 4  // over HTTP; with NATS servers one more over NATS
	historyKeys    = 8
)

var historySpaces = []string{"desk.queues", "chat"}

// history is a run of writes and the clients that look on.
type history struct {
	t     *testing.T
	c     *testkit.Cluster
	truth *testkit.Truth

	quiet   *quiet
	judged  atomic.Int64 // moves of clients
	number  atomic.Int64 // of the last update
	refused atomic.Int64
	writing atomic.Bool
	here    atomic.Bool
	writers sync.WaitGroup
	looking sync.WaitGroup
	clients []*historyClient
}

// historyClient is one device: it connects, attaches, is thrown out, and connects again elsewhere.
type historyClient struct {
	user string
	rng  *rand.Rand
	all  *testkit.View // over all its connections, as the client library keeps it

	mu  sync.Mutex // guards now
	now *testkit.Visitor
}

func newHistory(t *testing.T, c *testkit.Cluster) *history {
	return &history{t: t, c: c, truth: testkit.NewTruth(), quiet: newQuiet(c)}
}

func (h *history) start() {
	h.writing.Store(true)
	h.here.Store(true)
	for i := range historyClients {
		cl := &historyClient{user: fmt.Sprintf("u%d", i%historyUsers), rng: h.c.NewRand(uint64(1000 + i)), all: testkit.NewView()}
		h.clients = append(h.clients, cl)
		h.looking.Go(func() { h.look(cl) })
	}
	for i := range historyWriters {
		rng := h.c.NewRand(uint64(1 + i))
		h.writers.Go(func() { h.write(rng, h.overHTTP(rng)) })
	}
	if len(h.c.NATS) > 0 {
		rng := h.c.NewRand(100)
		var urls []string
		for _, s := range h.c.NATS {
			urls = append(urls, s.URL())
		}
		nc := testkit.Connect(h.t, strings.Join(urls, ","), nats.ReconnectWait(50*time.Millisecond))
		h.writers.Go(func() { h.write(rng, h.overNATS(nc)) })
	}
}

// stop lets the writers finish: each has every update acknowledged in the end, as backends would.
func (h *history) stop() {
	h.writing.Store(false)
	h.writers.Wait()
	h.c.Logf("%d updates acknowledged, %d refusals; %d moves of clients judged", h.number.Load(), h.refused.Load(), h.judged.Load())
}

// write sends updates until it is told to stop. Each is repeated until it is acknowledged.
func (h *history) write(rng *rand.Rand, send func(ns, body string) error) {
	for h.writing.Load() {
		ns, body := historySpaces[rng.IntN(len(historySpaces))], h.delta(rng)
		late := time.Now().Add(time.Minute)
		for {
			err := send(ns, body)
			if err == nil {
				break
			}
			h.refused.Add(1)
			if time.Now().After(late) {
				h.t.Errorf("an update is not acknowledged for a minute: %v", err)
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := h.truth.Add(ns, body); err != nil {
			h.t.Error(err)
		}
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
	}
}

func (h *history) overHTTP(rng *rand.Rand) func(ns, body string) error {
	return func(ns, body string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n := h.c.Nodes[rng.IntN(len(h.c.Nodes))]
		sent := time.Now()
		a, err := n.API(ctx, "POST", "/v1/lattice/"+nsPath(ns), body)
		if err == nil && a.StatusCode == 204 {
			h.quiet.acknowledged(n, sent)
		}
		if err == nil && a.StatusCode != 204 {
			err = fmt.Errorf("node %s answers %d", n.Name, a.StatusCode)
			if a.StatusCode != 503 {
				h.t.Errorf("%s is answered %d", body, a.StatusCode)
			}
		}
		return err
	}
}

func (h *history) overNATS(nc *nats.Conn) func(ns, body string) error {
	return func(ns, body string) error {
		r, err := nc.Request("sw.main.api.lattice."+strings.ReplaceAll(ns, ".", "=2E"), []byte(body), 5*time.Second)
		if err != nil {
			return err
		}
		if code := r.Header.Get("Nats-Service-Error-Code"); code != "" {
			return errors.New("answered " + code)
		}
		return nil
	}
}

// delta makes an update. Counters mostly grow, sets have few members, versions are never equal, and no variable is both shared and
// private, since a client cannot join those.
func (h *history) delta(rng *rand.Rand) string {
	n := h.number.Add(1)
	counter := func() int64 {
		if rng.IntN(4) == 0 {
			return rng.Int64N(n + 1)
		}
		return n
	}
	vars := func(prefix string) map[string]any {
		v := make(map[string]any)
		for range rng.IntN(4) {
			switch rng.IntN(3) {
			case 0:
				v[fmt.Sprintf("%s%d_counter", prefix, rng.IntN(3))] = counter()
			case 1:
				v[prefix+"_set"] = []string{fmt.Sprint("m", rng.IntN(60)), fmt.Sprint("m", rng.IntN(60))}
			case 2:
				v[prefix+"_register"] = []any{n, fmt.Sprint("value ", n)}
			}
		}
		return v
	}
	key := func() string { return fmt.Sprintf("k:%d", rng.IntN(historyKeys)) }
	delta := make(map[string]any)
	if rng.IntN(10) < 8 {
		shared := make(map[string]any)
		for range 1 + rng.IntN(2) {
			shared[key()] = vars("s")
		}
		delta["shared"] = shared
	}
	if rng.IntN(10) < 5 {
		private := make(map[string]any)
		for range 1 + rng.IntN(2) {
			private[fmt.Sprintf("u%d", rng.IntN(historyUsers))] = map[string]any{key(): vars("p")}
		}
		delta["private"] = private
	}
	text, _ := json.Marshal(delta)
	return string(text)
}

// look keeps a client connected to some node and attached to all namespaces.
func (h *history) look(cl *historyClient) {
	for moved := false; h.here.Load(); {
		n := h.c.Nodes[cl.rng.IntN(len(h.c.Nodes))]
		v, err := h.c.Connect(n, cl.user)
		if err != nil || !h.attach(cl, v) {
			if v != nil {
				v.Leave()
			}
			time.Sleep(50 * time.Millisecond)
			continue
		}
		cl.mu.Lock()
		cl.now = v
		cl.mu.Unlock()
		stay := time.Duration(1000+cl.rng.IntN(8000)) * time.Millisecond
		judged := !moved
		for begin := time.Now(); h.here.Load() && v.Open() && (time.Since(begin) < stay || !h.writing.Load()); {
			time.Sleep(20 * time.Millisecond)
			if !judged && time.Since(begin) > mayLag && h.quiet.lasts(n, settles) {
				judged = true
				h.judge(cl, v)
			}
		}
		cl.all.Join(v.View)
		moved = true
		v.Leave()
	}
}

// judge compares what a client is told now with all that it was told on the connections before, on whichever nodes. Nothing that is
// written here ends, so a key that is missing is lost.
func (h *history) judge(cl *historyClient, v *testkit.Visitor) {
	h.judged.Add(1)
	lacking := v.View.Lacks(cl.all)
	if len(lacking) == 0 || !v.Open() {
		return
	}
	begin := time.Now()
	after := "not within 10 s"
	if within(10*time.Second, func() bool { return len(v.View.Lacks(cl.all)) == 0 }) {
		after = fmt.Sprint("only ", time.Since(begin), " too late")
	}
	h.c.Logf("%s on node %s was told what it lacked: %s", cl.user, v.Node.Name, after)
	h.t.Errorf("%s has moved to node %s and is not told there what it was told before, %s: %s", cl.user, v.Node.Name, after, strings.Join(lacking, "; "))
}

// attach is what a backend does after hello; it tries any node.
func (h *history) attach(cl *historyClient, v *testkit.Visitor) bool {
	for _, ns := range historySpaces {
		for done := false; !done; {
			if !v.Open() {
				return false
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			n := h.c.Nodes[cl.rng.IntN(len(h.c.Nodes))]
			a, err := n.API(ctx, "PUT", "/v1/connection/"+v.ID+"/lattices/"+nsPath(ns), `{}`)
			cancel()
			done = err == nil && a.StatusCode == 204 && a.Header.Get("X-Swindon-Warning") == ""
			if !done {
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	return true
}

// check compares every view with the truth.
func (h *history) check() {
	late := time.Now().Add(30 * time.Second)
	for i, cl := range h.clients {
		for _, ns := range historySpaces {
			want := h.truth.Visible(ns, cl.user).Text()
			view := func() (string, string) {
				cl.mu.Lock()
				v := cl.now
				cl.mu.Unlock()
				if v == nil || !v.Open() {
					return "", "nowhere"
				}
				return v.View.Text(ns), v.Node.Name
			}
			if !within(time.Until(late), func() bool { got, _ := view(); return got == want }) {
				got, node := view()
				h.t.Errorf("client %d (%s on node %s) in %s: %s", i, cl.user, node, ns, testkit.Difference(got, want))
			}
		}
	}
	h.here.Store(false)
	h.looking.Wait()
	for i, cl := range h.clients {
		for _, ns := range historySpaces {
			if got, want := cl.all.Text(ns), h.truth.Visible(ns, cl.user).Text(); got != want {
				h.t.Errorf("client %d (%s) over all its connections in %s: %s", i, cl.user, ns, testkit.Difference(got, want))
			}
		}
	}
	for i := range historyUsers {
		user := fmt.Sprintf("u%d", i)
		for _, n := range h.c.Nodes {
			v := h.c.Visit(n, user)
			for _, ns := range historySpaces {
				attach(n, v, ns, `{}`)
				want := h.truth.Visible(ns, user).Text()
				if !within(5*time.Second, func() bool { return v.View.Text(ns) == want }) {
					h.t.Errorf("a new snapshot of %s for %s on node %s: %s", ns, user, n.Name, testkit.Difference(v.View.Text(ns), want))
				}
			}
			v.Leave()
		}
	}
}
