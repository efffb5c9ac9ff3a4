package cluster

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A user who has been greeted on one node is active on every other at once; endpoints 7 and 9 work through any node.
func TestPresenceOnEveryNode(t *testing.T) {
	t.Parallel()
	overModes(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		first, last := c.Nodes[0], c.Nodes[len(c.Nodes)-1]
		w := c.Visit(first, "watcher")
		watch(last, w, "ann", "bob")
		for _, u := range []string{"ann", "bob"} {
			awaitStatus(t, w, u, "offline", testkit.Patience)
		}
		c.Visit(last, "ann")
		e := awaitStatus(t, w, "ann", "active", testkit.Patience)
		if before := statuses(w, "ann")[0]; e.version <= before.version {
			t.Errorf("active has the version %v, offline %v", e.version, before.version)
		}
		for range 10 { // no waiting between hello and question
			u := "u" + time.Now().Format("150405.000000000")
			c.Visit(first, u)
			seen := w.Count()
			last.Accepted("PUT", "/v1/user/watcher/users", `["`+u+`"]`)
			if _, err := w.Await(testkit.Patience, func(testkit.Event) bool { return w.Count() > seen }); err != nil {
				t.Fatal(err)
			}
			if all := statuses(w, u); len(all) == 0 || all[0].value != "active" {
				t.Fatalf("right after hello %s is %v", u, all)
			}
		}
		// A second connection of the watcher that does not watch gets nothing.
		silent := c.Visit(last, "watcher")
		first.Accepted("PUT", "/v1/user/watcher/users", `["cid"]`)
		awaitStatus(t, w, "cid", "offline", testkit.Patience)
		first.Accepted("DELETE", "/v1/connection/"+w.ID+"/users", "")
		seen := w.Count()
		c.Visit(last, "bob")
		c.Visit(first, "cid")
		time.Sleep(testkit.Quiet)
		if w.Count() != seen || silent.Count() != 1 {
			t.Errorf("without a watch came %v and %v", w.Events()[seen:], silent.Events()[1:])
		}
	})
}

// A presence watch is for the one connection that it was asked for, not for those of equal number on other nodes.
func TestWeakness06PresenceForEqualNumbers(t *testing.T) {
	t.Parallel()
	overFew(t, several, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		a, b := sameNumber(t, c, c.Nodes[0], c.Nodes[1], "ann", "bob")
		watch(c.Nodes[1], a, "secret")
		attach(c.Nodes[1], a, desk, `{"private":{"ann":{"q":{}},"bob":{"q":{}}}}`)
		awaitStatus(t, a, "secret", "offline", testkit.Patience)
		c.Visit(c.Nodes[1], "secret")
		awaitStatus(t, a, "secret", "active", testkit.Patience)
		update(c.Nodes[1], desk, `{"shared":{"q":{"x_counter":1}}}`)
		awaitView(t, a, desk, `{"q":{"x_counter":1}}`)
		c.Nodes[0].Accepted("DELETE", "/v1/connection/"+b.ID+"/users", "") // not a's
		update(c.Nodes[1], desk, `{"shared":{"q":{"x_counter":2}}}`)
		awaitView(t, a, desk, `{"q":{"x_counter":2}}`)
		if b.Count() != 1 {
			t.Errorf("the connection of equal number got %v", b.Events()[1:])
		}
	})
}

// All watchers on all nodes are told the same, once, also by nodes that do not hold the user.
func TestWeakness12WatchersDisagree(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: "    new-connection-idle-timeout: 2s\n    client-min-idle-timeout: 1s\n"}, func(t *testing.T, c *testkit.Cluster) {
		var watchers []*testkit.Visitor
		for _, n := range c.Nodes {
			w := c.Visit(n, "watcher-"+n.Name)
			watch(n, w, "ann")
			watchers = append(watchers, w)
		}
		ann := c.Visit(c.Nodes[0], "ann")
		for _, w := range watchers {
			awaitStatus(t, w, "ann", "inactive", testkit.Patience)
		}
		ann.Leave()
		for _, w := range watchers {
			awaitStatus(t, w, "ann", "offline", testkit.Patience)
		}
		time.Sleep(testkit.Quiet)
		for _, w := range watchers {
			all := statuses(w, "ann")
			if len(all) != 4 { // offline, active, inactive, offline
				t.Errorf("%s was told %v", w.User, all)
				continue
			}
			for i, s := range statuses(watchers[0], "ann")[1:] {
				if s.version != all[i+1].version || s.value != all[i+1].value {
					t.Errorf("%s was told %v, %s %v", watchers[0].User, s, w.User, all[i+1])
				}
			}
		}
	})
}

// "Offline" for want of knowledge never wins over a true, older status: the version of an unknown user is stored, and what comes later
// is greater.
func TestWeakness13UnknownIsOfflineNow(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: calm}, func(t *testing.T, c *testkit.Cluster) {
		var watchers []*testkit.Visitor
		for _, n := range c.Nodes {
			w := c.Visit(n, "watcher-"+n.Name)
			watch(n, w, "zed", "ann")
			watchers = append(watchers, w)
		}
		unknown := statuses(watchers[0], "zed")
		c.Visit(c.Nodes[0], "ann")
		for i, n := range c.Nodes {
			watch(n, watchers[i], "ann", "zed")
			s := awaitStatus(t, watchers[i], "ann", "active", testkit.Patience)
			time.Sleep(20 * time.Millisecond)
			watch(other(c, n), watchers[i], "ann", "zed") // asked again, the version is the same: nothing has happened
			if again := awaitStatus(t, watchers[i], "ann", "active", testkit.Patience); again.version != s.version {
				t.Errorf("asked again, the version of ann went from %v to %v", s.version, again.version)
			}
			for _, z := range statuses(watchers[i], "zed") {
				if len(unknown) > 0 && z.version != unknown[0].version {
					t.Errorf("zed, of whom nothing happened, is %v and was %v", z, unknown[0])
				}
			}
		}
		c.Visit(c.Nodes[0], "zed")
		for _, w := range watchers {
			awaitStatus(t, w, "zed", "active", testkit.Patience)
			checkStatuses(t, w, "zed")
			checkStatuses(t, w, "ann")
		}
	})
}

// Each change of status has a greater version than the one before, also when several come within a millisecond, made by several nodes.
func TestWeakness15EqualMilliseconds(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: "    new-connection-idle-timeout: 1s\n    client-min-idle-timeout: 1s\n"}, func(t *testing.T, c *testkit.Cluster) {
		const count = 40
		var users []string
		for i := range count {
			users = append(users, fmt.Sprintf("u%d", i))
		}
		var watchers []*testkit.Visitor
		for _, n := range c.Nodes {
			w := c.Visit(n, "watcher-"+n.Name)
			watch(n, w, users...)
			watchers = append(watchers, w)
		}
		here := make([]*testkit.Visitor, count)
		for i, user := range users {
			here[i] = c.Visit(c.Nodes[i%len(c.Nodes)], user)
		}
		for _, user := range users {
			awaitStatus(t, watchers[0], user, "inactive", testkit.Patience)
		}
		// Offline here and active there, at the same moment.
		var both sync.WaitGroup
		for i, user := range users {
			both.Go(here[i].Leave)
			both.Go(func() {
				v, err := c.Connect(c.Nodes[(i+1)%len(c.Nodes)], user)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(v.Leave)
			})
		}
		both.Wait()
		for _, user := range users {
			for _, w := range watchers {
				awaitStatus(t, w, user, "inactive", testkit.Patience)
			}
		}
		time.Sleep(testkit.Quiet)
		for _, user := range users {
			first := statuses(watchers[0], user)
			for _, w := range watchers {
				checkStatuses(t, w, user)
				all := statuses(w, user)
				last, lastFirst := all[len(all)-1], first[len(first)-1]
				if last.version != lastFirst.version || last.value != lastFirst.value {
					t.Errorf("at the end %s knows of %s %v and %s %v", w.User, user, last, watchers[0].User, lastFirst)
				}
			}
		}
	})
}
