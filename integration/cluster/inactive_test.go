package cluster

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

const idle2s = "    new-connection-idle-timeout: 2s\n    client-min-idle-timeout: 1s\n"

// One idle period, one session_inactive in the whole cluster, however many nodes hold connections of the user.
func TestWeakness11NoticePerNode(t *testing.T) {
	t.Parallel()
	overModes(t, testkit.Modes, testkit.ClusterOptions{Pool: idle2s}, func(t *testing.T, c *testkit.Cluster) {
		const users = 20
		var visitors []*testkit.Visitor
		for i := range users {
			for j := range c.Nodes {
				if j == 0 || i%(j+1) == 0 {
					visitors = append(visitors, c.Visit(c.Nodes[(i+j)%len(c.Nodes)], fmt.Sprintf("u%d", i)))
				}
			}
		}
		for i := range users {
			user := fmt.Sprintf("u%d", i)
			testkit.Eventually(t, user+" is reported", func() bool { return len(c.Backend.Notices(user)) > 0 })
		}
		// The next period of a user gets its own.
		c.Visit(c.Nodes[0], "u0")
		testkit.Eventually(t, "u0 is reported again", func() bool { return len(c.Backend.Notices("u0")) == 2 })
		if again := c.Backend.Notices("u0"); again[0].RequestID == again[1].RequestID || again[1].RequestID == "" {
			t.Errorf("two periods of u0 have the request ids %v", again)
		}
		for _, v := range visitors {
			v.Leave() // inactive ones: no further notice
		}
		time.Sleep(2 * time.Second)
		ids := make(map[string]string)
		for i := range users {
			user, want := fmt.Sprintf("u%d", i), 1
			if i == 0 {
				want = 2
			}
			got := c.Backend.Notices(user)
			if len(got) != want {
				t.Errorf("%s was reported %d times: %v", user, len(got), got)
			}
			for _, n := range got {
				if ids[n.RequestID] != "" {
					t.Errorf("%s and %s have the request id %s", user, ids[n.RequestID], n.RequestID)
				}
				ids[n.RequestID] = user
			}
		}
	})
}

// A notice is repeated until a backend has answered it, with the same request id. The original lost it.
func TestWeakness02NoticesAreLost(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: idle2s}, func(t *testing.T, c *testkit.Cluster) {
		var mu sync.Mutex
		asked := make(map[string]int)
		c.Backend.AnswerNotices(func(n testkit.Notice) int {
			mu.Lock()
			defer mu.Unlock()
			asked[n.User]++
			return []int{0, 500, 404}[min(asked[n.User]-1, 2)] // dropped, failed, answered
		})
		for i := range 4 {
			c.Visit(c.Nodes[i%len(c.Nodes)], fmt.Sprintf("u%d", i))
		}
		for i := range 4 {
			user := fmt.Sprintf("u%d", i)
			testkit.Eventually(t, user+" is reported", func() bool { return len(c.Backend.Notices(user)) == 3 })
		}
		time.Sleep(2 * time.Second)
		for i := range 4 {
			got := c.Backend.Notices(fmt.Sprintf("u%d", i))
			if len(got) != 3 || got[0].RequestID == "" || got[0].RequestID != got[1].RequestID || got[1].RequestID != got[2].RequestID {
				t.Errorf("u%d was reported %v", i, got)
			}
		}
	})
}

// A new connection of an inactive user gets the full time, and one more never shortens it.
func TestWeakness14SecondTabShortens(t *testing.T) {
	t.Parallel()
	overFew(t, testkit.Modes, testkit.ClusterOptions{Pool: idle2s}, func(t *testing.T, c *testkit.Cluster) {
		last := other(c, c.Nodes[0])
		w := c.Visit(c.Nodes[0], "watcher")
		watch(c.Nodes[0], w, "ann", "bob")
		c.Visit(c.Nodes[0], "ann")
		awaitStatus(t, w, "ann", "inactive", testkit.Patience)
		c.Visit(last, "ann")
		active := awaitStatus(t, w, "ann", "active", testkit.Patience)
		inactive := awaitStatus(t, w, "ann", "inactive", testkit.Patience)
		if took := inactive.at.Sub(active.at); took < 1500*time.Millisecond {
			t.Errorf("the new connection was active for %v only", took)
		}
		bob := c.Visit(last, "bob")
		begin := time.Now()
		if err := bob.Send(`["work",{"request_id":1,"active":6},[],{}]`); err != nil {
			t.Fatal(err)
		}
		if _, err := bob.Await(testkit.Patience, func(e testkit.Event) bool { return e.Kind == "result" }); err != nil {
			t.Fatal(err)
		}
		c.Visit(c.Nodes[0], "bob") // 2 s are less than what is left
		inactive = awaitStatus(t, w, "bob", "inactive", testkit.Patience)
		if took := inactive.at.Sub(begin); took < 5500*time.Millisecond {
			t.Errorf("active was 6 s, the second tab made them %v", took)
		}
		testkit.Eventually(t, "bob is reported", func() bool { return len(c.Backend.Notices("bob")) == 1 })
	})
}

// While a notice is under way, nodes come and go and users get other owners: nobody else sends it.
func TestNoticeHasOneSender(t *testing.T) {
	t.Parallel()
	overModes(t, []testkit.Mode{testkit.Mesh, testkit.Single}, testkit.ClusterOptions{Nodes: 3, Pool: idle2s}, func(t *testing.T, c *testkit.Cluster) {
		const users = 30
		c.Nodes[2].Stop()
		began := make(chan struct{}, 1000)
		c.Backend.AnswerNotices(func(n testkit.Notice) int {
			if strings.HasPrefix(n.User, "u") { // not those whom the cluster met with
				began <- struct{}{}
				time.Sleep(7 * time.Second)
			}
			return 200
		})
		for i := range users {
			c.Visit(c.Nodes[i%2], fmt.Sprintf("u%d", i))
		}
		for range users {
			select {
			case <-began:
			case <-time.After(testkit.Patience):
				t.Fatal("not all notices were sent")
			}
		}
		c.Nodes[2].Start() // a third of the users is its own from now on
		for i := range users {
			user := fmt.Sprintf("u%d", i)
			testkit.Eventually(t, user+"'s notice is answered", func() bool { return len(c.Backend.Notices(user)) > 0 })
		}
		time.Sleep(2 * time.Second)
		select {
		case <-began:
			t.Errorf("more than %d notices were sent: %v", users, c.Backend.Notices(""))
		default:
		}
	})
}

// A node is killed while the backend has its notices and has answered none: each user is reported until the backend has answered, and
// every repetition, by whichever node, carries the same request id, so that the backend can tell it from the next period.
func TestNoticesWhileNodeDies(t *testing.T) {
	t.Parallel()
	overModes(t, []testkit.Mode{testkit.Mesh, testkit.Single}, testkit.ClusterOptions{Nodes: 3, Pool: idle2s}, func(t *testing.T, c *testkit.Cluster) {
		const users = 30
		began := make(chan struct{}, 1000)
		killed := make(chan struct{})
		c.Backend.AnswerNotices(func(n testkit.Notice) int {
			select {
			case <-killed:
				return 200
			default:
			}
			if strings.HasPrefix(n.User, "u") {
				began <- struct{}{}
			}
			<-killed
			return 0 // the connection breaks
		})
		for i := range users {
			c.Visit(c.Nodes[i%len(c.Nodes)], fmt.Sprintf("u%d", i))
		}
		for range users {
			select {
			case <-began:
			case <-time.After(testkit.Patience):
				t.Fatal("not all notices were sent")
			}
		}
		c.Nodes[0].Kill()
		close(killed)
		answered := func(user string) bool {
			for _, n := range c.Backend.Notices(user) {
				if n.Answered == 200 {
					return true
				}
			}
			return false
		}
		late := time.Now().Add(60 * time.Second) // the lease of a dead node's notices is 30 s
		for i := range users {
			if user := fmt.Sprintf("u%d", i); !within(time.Until(late), func() bool { return answered(user) }) {
				t.Errorf("%s, on node %d, was not reported: %v", user, i%len(c.Nodes), c.Backend.Notices(user))
			}
		}
		time.Sleep(time.Second)
		for i := range users {
			got, answers := c.Backend.Notices(fmt.Sprintf("u%d", i)), 0
			for _, n := range got {
				if n.RequestID != got[0].RequestID || n.RequestID == "" {
					t.Errorf("u%d was reported for two periods: %v", i, got)
				}
				if n.Answered == 200 {
					answers++
				}
			}
			if answers != 1 {
				t.Errorf("u%d was reported %d times after the first answer: %v", i, answers, got)
			}
		}
	})
}
