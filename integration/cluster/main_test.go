package cluster

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// Most of these tests wait: for timeouts, for nodes that are found dead. So more of them run at once than there are cores.
const atOnce = "6"

func TestMain(m *testing.M) {
	flag.Parse()
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

// overModes runs a test over each way to run nodes, each on a cluster of its own.
func overModes(t *testing.T, o testkit.ClusterOptions, f func(t *testing.T, c *testkit.Cluster), modes ...testkit.Mode) {
	t.Helper()
	if len(modes) == 0 {
		modes = testkit.Modes
	}
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			f(t, testkit.New(t).Cluster(mode, o))
		})
	}
}

// other is the node after this one; the only one of one.
func other(c *testkit.Cluster, n *testkit.Node) *testkit.Node {
	return c.Nodes[(n.Index+1)%len(c.Nodes)]
}
