package cluster

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// Most of these tests wait: for timeouts, for nodes that are found dead. So more of them run at once than there are cores.
const atOnce = "12"

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("left out: tests of whole clusters take a minute")
		return
	}
	explicit := false
	flag.Visit(func(f *flag.Flag) { explicit = explicit || f.Name == "test.parallel" })
	if !explicit {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	code := m.Run()
	testkit.Cleanup()
	os.Exit(code)
}

// quick are times that let a test see in seconds what takes minutes.
const quick = `    new-connection-idle-timeout: 2s
    client-min-idle-timeout: 1s
    private-grace: 1s
    shared-grace: 1s
`

// calm are times that let nothing happen by itself during a test.
const calm = `    new-connection-idle-timeout: 10m
    private-grace: 10m
    shared-grace: 10m
`

// several are the ways with more than one node.
var several = []testkit.Mode{testkit.Mesh, testkit.Single, testkit.Three}

// overModes runs a test over ways to run nodes, each on a cluster of its own.
func overModes(t *testing.T, modes []testkit.Mode, o testkit.ClusterOptions, f func(t *testing.T, c *testkit.Cluster)) {
	t.Helper()
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			f(t, testkit.New(t).Cluster(mode, o))
		})
	}
}

// overFew is overModes for a test to which the embedded server and three servers are nothing new: it leaves them to long runs.
func overFew(t *testing.T, modes []testkit.Mode, o testkit.ClusterOptions, f func(t *testing.T, c *testkit.Cluster)) {
	t.Helper()
	if _, long := soak(t); !long {
		modes = []testkit.Mode{testkit.Mesh, testkit.Single}
	}
	overModes(t, modes, o, f)
}

// soak is how long the history check runs, and whether somebody asked for a long run: SWINDON_SOAK is a duration, as `make soak` sets it.
func soak(t *testing.T) (time.Duration, bool) {
	t.Helper()
	text := os.Getenv("SWINDON_SOAK")
	if text == "" {
		return shortRun, false
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SWINDON_SOAK: %v", err)
	}
	return d, true
}

// shortRun is the length of the history check in `make test`.
const shortRun = 8 * time.Second

// other is the node after this one; the only one of one.
func other(c *testkit.Cluster, n *testkit.Node) *testkit.Node {
	return c.Nodes[(n.Index+1)%len(c.Nodes)]
}
