package testkit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// NATSServer is one nats-server as a process of its own. It keeps its address and its store when it is killed and started again.
type NATSServer struct {
	*Process
	Name string
	Addr string // of clients

	env  *Env
	file string
}

// NATSServers starts one server, or a cluster of several, with JetStream. The value of the name NATSMORE is added to their
// configuration. They advertise nothing, so that a client behind a Link
// never finds a way around it.
func (e *Env) NATSServers(count int) []*NATSServer {
	e.T.Helper()
	servers := make([]*NATSServer, count)
	var routes []string
	more := e.lookup("NATSMORE")
	if !strings.Contains(more, "max_payload") {
		more += "max_payload: 12MB\n"
	}
	for i := range servers {
		routes = append(routes, "nats://"+e.Addr(fmt.Sprintf("NATSROUTE%d", i)))
	}
	for i := range servers {
		s := &NATSServer{Name: fmt.Sprintf("nats%d", i), env: e}
		s.Addr = e.Addr(fmt.Sprintf("NATSD%d", i))
		config := fmt.Sprintf("server_name: %s\nlisten: %q\njetstream { store_dir: %q }\n%s", s.Name, s.Addr, e.Dir+"/store-"+s.Name, more)
		if count > 1 {
			config += fmt.Sprintf("cluster { name: test, listen: %q, no_advertise: true, routes: [%s] }\n",
				strings.TrimPrefix(routes[i], "nats://"), strings.Join(routes, ", "))
		}
		s.file = e.File(s.Name+".conf", config)
		servers[i] = s
		s.Start()
	}
	for _, s := range servers {
		s.AwaitAddr(s.Addr)
	}
	awaitJetStream(e.T, servers[0].Addr, count)
	return servers
}

// Start starts the server again after Kill or Stop; it does not wait until it listens.
func (s *NATSServer) Start() {
	s.env.T.Helper()
	s.Process = s.env.Launch(Binary(s.env.T, "integration/cmd/natsd"), s.file)
}

// URL is the server's address for clients.
func (s *NATSServer) URL() string { return "nats://" + s.Addr }

// awaitJetStream waits until a replicated stream can be made: the servers have found each other and chosen a leader.
func awaitJetStream(t testing.TB, addr string, replicas int) {
	t.Helper()
	nc, err := nats.Connect("nats://"+addr, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream(nats.MaxWait(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	Eventually(t, "JetStream is there", func() bool {
		_, err = js.AddStream(&nats.StreamConfig{Name: "probe", Subjects: []string{"probe"}, Replicas: replicas, Storage: nats.MemoryStorage})
		return err == nil
	})
	if err := js.DeleteStream("probe"); err != nil {
		t.Fatal(err)
	}
}
