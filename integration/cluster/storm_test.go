package cluster

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// stormClients is how many clients lose their node in `make test`; SWINDON_STORM makes it more, as `make soak` does.
const stormClients = 500

// A node dies with all its clients; another takes them. Every one gets a right snapshot, and the work that NATS has with it is bounded:
// so many messages for each client, no consumer and no subscription more than before.
func TestReconnectStorm(t *testing.T) {
	t.Parallel()
	count := stormClients
	if text := os.Getenv("SWINDON_STORM"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("SWINDON_STORM: %v", err)
		}
		count = n
	}
	env := testkit.New(t)
	monitor := env.Addr("NATSMONITOR")
	env.Set("NATSMORE", fmt.Sprintf("http: %q\n", monitor))
	c := env.Cluster(testkit.Single, testkit.ClusterOptions{Nodes: 2, Pool: calm + "    max-pending: 20k\n"})
	from, to := c.Nodes[0], c.Nodes[1]
	truth := testkit.NewTruth()
	post := func(body string) {
		t.Helper()
		update(to, desk, body)
		if err := truth.Add(desk, body); err != nil {
			t.Fatal(err)
		}
	}
	shared := make(map[string]map[string]int)
	for i := range 100 {
		shared[fmt.Sprintf("k%d", i)] = map[string]int{"size_counter": i, "other_counter": 2 * i}
	}
	text, _ := json.Marshal(map[string]any{"shared": shared})
	post(string(text))
	for begin := 0; begin < count; begin += 100 {
		private := make(map[string]any)
		for i := begin; i < min(begin+100, count); i++ {
			keys := make(map[string]any)
			for k := range 10 {
				keys[fmt.Sprintf("k%d", (i+7*k)%100)] = map[string]int{"read_counter": i + k}
			}
			private[fmt.Sprintf("u%d", i)] = keys
		}
		text, _ := json.Marshal(map[string]any{"private": private})
		post(string(text))
	}
	join := func(n *testkit.Node) (visitors []*testkit.Visitor, took time.Duration) {
		visitors = make([]*testkit.Visitor, count)
		var failed atomic.Int64
		var wg sync.WaitGroup
		room := make(chan struct{}, 200) // more at once is no worse for the node, but for the test's machine
		begin := time.Now()
		for i := range count {
			wg.Go(func() {
				room <- struct{}{}
				defer func() { <-room }()
				v, err := c.Connect(n, fmt.Sprintf("u%d", i))
				if err == nil {
					visitors[i] = v
					err = n.Insist(testkit.Patience, "PUT", "/v1/connection/"+v.ID+"/lattices/desk/queues", `{}`)
				}
				if err == nil {
					_, err = v.Await(testkit.Patience, func(e testkit.Event) bool { return e.Kind == "lattice" })
				}
				if err != nil && failed.Add(1) < 5 {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		took = time.Since(begin)
		if n := failed.Load(); n > 0 {
			t.Fatalf("%d of %d did not get in", n, count)
		}
		return visitors, took
	}
	visitors, _ := join(from)
	from.Kill()
	for _, v := range visitors {
		<-v.Ended()
	}
	before := natsStats(t, monitor)
	goroutines := to.Metric("go_goroutines", "")
	visitors, took := join(to)
	after := natsStats(t, monitor)
	t.Logf("%d clients back in %v, with %.1f messages to NATS for each", count, took, (after.in-before.in)/float64(count))
	wrong := 0
	for i, v := range visitors {
		user := fmt.Sprintf("u%d", i)
		if got, want := v.View.Text(desk), truth.Visible(desk, user).Text(); got != want {
			if wrong++; wrong < 3 {
				t.Errorf("%s sees\n%s\nwant\n%s", user, got, want)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d snapshots are wrong", wrong, count)
	}
	// Four for each client: the record read, written and announced, the private document read. Shared keys are read for many at once
	// and beats come by the second: together a tenth of a message. One more for each client would be new work.
	if per := (after.in - before.in) / float64(count); per > 5 {
		t.Errorf("NATS got %.1f messages for each client", per)
	}
	if math.Abs(after.subscriptions-before.subscriptions) > 20 {
		t.Errorf("NATS had %v subscriptions and has %v", before.subscriptions, after.subscriptions)
	}
	if after.consumers > 0 {
		t.Errorf("there are %v consumers", after.consumers)
	}
	if now := to.Metric("go_goroutines", ""); now-goroutines > float64(count)+200 {
		t.Errorf("the node had %v goroutines and has %v", goroutines, now)
	}
	update(to, desk, `{"shared":{"k0":{"size_counter":1000},"k50":{"size_counter":1000}}}`)
	if err := truth.Add(desk, `{"shared":{"k0":{"size_counter":1000},"k50":{"size_counter":1000}}}`); err != nil {
		t.Fatal(err)
	}
	for _, v := range visitors {
		awaitView(t, v, desk, truth.Visible(desk, v.User).Text())
	}
	var wg sync.WaitGroup
	for _, v := range visitors {
		wg.Go(v.Leave)
	}
	wg.Wait()
}

type natsCounts struct{ in, subscriptions, consumers float64 }

// natsStats asks a server's monitoring port.
func natsStats(t *testing.T, addr string) natsCounts {
	t.Helper()
	var all struct {
		In            float64 `json:"in_msgs"`
		Subscriptions float64 `json:"subscriptions"`
		Consumers     float64 `json:"consumers"`
	}
	for _, path := range []string{"/varz", "/jsz"} {
		r, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(r.Body).Decode(&all)
		_ = r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	return natsCounts{all.In, all.Subscriptions, all.Consumers}
}
