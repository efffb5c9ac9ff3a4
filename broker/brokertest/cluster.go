package brokertest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// NATSCluster is some NATS servers with JetStream in this process that form one cluster. It is for one goroutine.
type NATSCluster struct {
	t       *testing.T
	servers []*natsserver.Server
	opts    []*natsserver.Options
}

// lookPause is the time between two looks at a state that nobody tells of.
const lookPause = 10 * time.Millisecond

// Cluster starts n servers, three or more, that keep buckets on three of them, and returns when they do. They end with
// the test.
func Cluster(t *testing.T, n int) *NATSCluster {
	t.Helper()
	c := &NATSCluster{t: t}
	ports := freePorts(t, 2*n)
	for i := range n {
		o := &natsserver.Options{
			ServerName: fmt.Sprintf("nats-%d", i), Host: "127.0.0.1", Port: ports[i], NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), DisableJetStreamBanner: true,
			JetStreamMaxMemory: 256 << 20, JetStreamMaxStore: 1 << 30,
			Cluster: natsserver.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[n+i]},
		}
		for j := range n {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", ports[n+j])})
		}
		c.opts = append(c.opts, o)
		c.servers = append(c.servers, nil)
	}
	t.Cleanup(func() {
		for i := range n {
			c.Stop(i)
		}
	})
	for i := range n {
		c.start(i)
	}
	c.Await()
	return c
}

// freePorts returns ports that nobody listens on at the moment, no two alike.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (c *NATSCluster) start(i int) {
	c.t.Helper()
	srv, err := natsserver.NewServer(c.opts[i].Clone())
	if err != nil {
		c.t.Fatal(err)
	}
	srv.Start()
	c.servers[i] = srv
	if !srv.ReadyForConnections(patience) {
		c.t.Fatalf("nats server %d does not start", i)
	}
}

// URL is where clients connect to server i; it stays the same when the server is started again.
func (c *NATSCluster) URL(i int) string { return fmt.Sprintf("nats://127.0.0.1:%d", c.opts[i].Port) }

// Stop ends server i, if it runs. Its files stay.
func (c *NATSCluster) Stop(i int) {
	if srv := c.servers[i]; srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		c.servers[i] = nil
	}
}

// Restart ends server i, starts it again with its files, and returns when the whole cluster is current.
func (c *NATSCluster) Restart(i int) {
	c.t.Helper()
	c.Stop(i)
	c.start(i)
	c.Await()
}

// Leader is the server that leads the stream of a bucket; -1: none does at the moment.
func (c *NATSCluster) Leader(stream string) int {
	for i, srv := range c.servers {
		if srv != nil && srv.JetStreamIsStreamLeader(natsserver.DEFAULT_GLOBAL_ACCOUNT, stream) {
			return i
		}
	}
	return -1
}

// Await returns when all servers that run know each other, one leads, and the others' copies are current.
func (c *NATSCluster) Await() {
	c.t.Helper()
	for ctx := wait(c.t); !c.formed(); time.Sleep(lookPause) {
		if ctx.Err() != nil {
			c.t.Fatal("the nats cluster does not form")
		}
	}
}

func (c *NATSCluster) formed() bool {
	running, leaders := 0, 0
	for _, srv := range c.servers {
		if srv != nil {
			running++
		}
	}
	for _, srv := range c.servers {
		if srv == nil {
			continue
		}
		// Three connections to each other server for the accounts, and one for the system's.
		// Its health is that of its copies too.
		if srv.NumRoutes() < 4*(running-1) || srv.Healthz(nil).StatusCode != http.StatusOK {
			return false
		}
		if srv.JetStreamIsLeader() {
			leaders++
		}
	}
	return leaders == 1
}
