package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/integration/testkit"
)

// demoCluster is the running example of `make demo-cluster`.
type demoCluster struct {
	t    *testing.T
	demo *testkit.Process
	url  string
}

// startDemoCluster starts the cluster on free ports. What a test kills stays dead for so long, but for the front.
func startDemoCluster(t *testing.T, back time.Duration) *demoCluster {
	t.Helper()
	url, demo := startDemo(t, "-cluster", "-back", back.String())
	demo.Stdout.Await(t, "Kill any of them")
	return &demoCluster{t: t, demo: demo, url: url}
}

// pid is the process of this name that was started last.
func (c *demoCluster) pid(name string) int {
	c.t.Helper()
	all := regexp.MustCompile(`(?m)^ +`+name+` .*pid (\d+)`).FindAllStringSubmatch(c.demo.Stdout.String(), -1)
	if len(all) == 0 {
		c.t.Fatalf("no %s in\n%s", name, c.demo.Stdout.String())
	}
	pid, _ := strconv.Atoi(all[len(all)-1][1])
	return pid
}

// kill ends a process without warning.
func (c *demoCluster) kill(name string) {
	c.t.Helper()
	pid := c.pid(name)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		c.t.Fatalf("%s (pid %d): %v", name, pid, err)
	}
	c.demo.Stdout.Await(c.t, fmt.Sprintf("%s (pid %d) has ended: signal: killed", name, pid))
}

// awaitBack waits until a process that was killed has been started again and does its work: url answers 200.
func (c *demoCluster) awaitBack(name, url string) {
	c.t.Helper()
	c.demo.Stdout.Await(c.t, name+" is back (pid ")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	testkit.Eventually(c.t, name+" serves again at "+url, func() bool {
		r, err := client.Get(url)
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

// serves is the address at which a process does this, as the list shows it.
func (c *demoCluster) serves(name, what string) string {
	c.t.Helper()
	found := regexp.MustCompile(`(?m)^ +` + name + ` .*pid \d+.* (\S+) ` + what).FindStringSubmatch(c.demo.Stdout.String())
	if found == nil {
		c.t.Fatalf("%s does not serve %s in\n%s", name, what, c.demo.Stdout.String())
	}
	return found[1]
}

// leader is the NATS server that decides about the lattices at the moment: the one whose death hurts most.
func (c *demoCluster) leader() string {
	c.t.Helper()
	nc := testkit.Connect(c.t, "nats://gateway:example-gateway@"+c.serves("nats-1", "NATS"), nats.CustomInboxPrefix("_INBOX_gateway"))
	defer nc.Close()
	m, err := nc.Request("$JS.API.STREAM.INFO.KV_sw_main_lat", nil, testkit.Patience)
	if err != nil {
		c.t.Fatal(err)
	}
	var info struct{ Cluster struct{ Leader string } }
	if err := json.Unmarshal(m.Data, &info); err != nil || info.Cluster.Leader == "" {
		c.t.Fatalf("%v: %s", err, m.Data)
	}
	return info.Cluster.Leader
}

// talk says things until one is heard. What is said while a process dies may be lost: a message is pushed once.
func talk(t *testing.T, what string, from, to window) {
	t.Helper()
	deadline := time.Now().Add(testkit.Patience)
	for i := 0; time.Now().Before(deadline); i++ {
		text := fmt.Sprintf("%s %d", what, i)
		from.say(text)
		if to.within(2*time.Second, shown(text, "1")) {
			from.until(shown(text, "1"))
			return
		}
	}
	t.Fatalf("%s: nothing was heard for %v\n%s", what, testkit.Patience, to.eval(`document.body.innerText`))
}

// In the example as a cluster each process may die at any time, and comes back. Here die, one after the other, those that TestDemoCluster
// lets live or of which it kills whichever matters most.
func TestDemoClusterEach(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser; make test runs it")
	}
	t.Parallel()
	c := startDemoCluster(t, 2*time.Second)
	browser := newBrowser(t)
	ann := open(t, browser, c.url, "ann")
	bob := open(t, browser, c.url, "bob")
	for _, p := range []struct{ name, serves, path string }{
		{"chat-2", "calls over HTTP", "/api/health"},
		{"pizza-2", "health", "/health"},
		{"gateway-1", "health", "/ready"},
		{"gateway-2", "health", "/ready"},
		{"nats-1", "health", "/healthz"},
		{"nats-2", "health", "/healthz"},
		{"nats-3", "health", "/healthz"},
	} {
		c.kill(p.name)
		for _, w := range []window{ann, bob} {
			w.until(connected)
		}
		talk(t, "without "+p.name+", ann", ann, bob)
		talk(t, "without "+p.name+", bob", bob, ann)
		if p.name == "pizza-2" {
			orders := bob.eval(`String(document.querySelectorAll('#orders li:not(.empty)').length)`)
			bob.do(chromedp.SendKeys(chromedp.CSS(`[data-pizza="funghi"]`), "\r"))
			bob.until(`document.querySelectorAll('#orders li:not(.empty)').length > ` + orders)
			if text := bob.eval(`document.querySelector('#orders li').innerText`); strings.Contains(text, "failed") {
				t.Errorf("without %s an order becomes %q", p.name, text)
			}
		}
		c.awaitBack(p.name, "http://"+c.serves(p.name, p.serves)+p.path)
	}
	talk(t, "all back, ann", ann, bob)
	talk(t, "all back, bob", bob, ann)
}

// The example as a cluster: any one process but the front may die, and then one of each kind, and people go on chatting.
func TestDemoCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser; make test runs it")
	}
	c := startDemoCluster(t, time.Hour)
	browser := newBrowser(t)
	ann := open(t, browser, c.url, "ann")
	bob := open(t, browser, c.url, "bob")
	node := func(w window) string { return w.eval(`document.querySelector('#node').textContent`) }
	if a, b := node(ann), node(bob); a == b || !regexp.MustCompile(`^gateway-[12] gateway-[12]$`).MatchString(a+" "+b) {
		t.Errorf("ann is on %q, bob on %q: the front should spread them", a, b)
	}
	// works shows what the chat is: messages both ways, and counts of what was not read.
	works := func(what string) {
		t.Helper()
		talk(t, what+", ann", ann, bob)
		talk(t, what+", bob", bob, ann)
		bob.enter("kitchen")
		talk(t, what+", not read", ann, ann)
		bob.until(unread("lobby", "> 0"))
		bob.enter("lobby")
		bob.until(unread("lobby", "=== 0"))
	}
	works("all alive")

	leader := c.leader()
	c.kill(leader)
	works("without " + leader)

	c.kill(node(ann)) // ann's page finds the other gateway
	ann.until(`document.querySelector('#state').dataset.state === 'active' && document.querySelector('#node').textContent === '` + node(bob) + `'`)
	works("without a gateway")

	c.kill("chat-1")
	works("without chat-1")

	c.kill("pizza-1")
	bob.until(`document.querySelector('[data-pizza="funghi"]') !== null`)
	bob.do(chromedp.SendKeys(chromedp.CSS(`[data-pizza="funghi"]`), "\r"))
	bob.until(`document.querySelector('#orders li')?.innerText.includes('on its way')`)

	// It is started again within 2 s (TestFrontComesBack in examples/chat/internal/demo); how soon it serves is the machine's doing.
	killed := time.Now()
	c.kill("front")
	c.awaitBack("front", c.url)
	t.Logf("the front served again %v after it was killed", time.Since(killed))
	for _, w := range []window{ann, bob} {
		w.until(`document.querySelector('#state').dataset.state === 'active'`)
	}
	works("with another front")

	var pids []int
	for _, name := range []string{"nats-1", "nats-2", "nats-3", "gateway-1", "gateway-2", "chat-2", "pizza-2", "front"} {
		pids = append(pids, c.pid(name))
	}
	c.demo.Signal(syscall.SIGINT)
	if code := c.demo.Wait(); code != 0 {
		t.Errorf("the example ended with status %d:\n%s", code, c.demo.Stderr.String())
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("process %d lives on", pid)
		}
	}
}
