package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// frontBack is how long after its end the front is started again: it is the only way in.
const frontBack = 300 * time.Millisecond

// cluster is where everything listens.
type cluster struct {
	page, api, admin string // of the front
	gateways         [2]struct{ page, api, admin string }
	chat             [2]string
	pizza            [2]string // health only
	nats             [3]struct{ clients, routes, health string }
}

// clusterPorts is how many addresses a cluster takes.
const clusterPorts = 3 + 2*3 + 2 + 2 + 3*3

func newCluster(addrs []string) *cluster {
	next := func() string {
		addr := addrs[0]
		addrs = addrs[1:]
		return addr
	}
	c := &cluster{page: next(), api: next(), admin: next()}
	for i := range c.gateways {
		c.gateways[i].page, c.gateways[i].api, c.gateways[i].admin = next(), next(), next()
	}
	for i := range c.chat {
		c.chat[i] = next()
	}
	for i := range c.pizza {
		c.pizza[i] = next()
	}
	for i := range c.nats {
		c.nats[i].clients, c.nats[i].routes, c.nats[i].health = next(), next(), next()
	}
	return c
}

// RunCluster starts the cluster, prints what runs where when the page answers, starts again what ends, and returns when the
// context has ended and all processes with it.
func RunCluster(ctx context.Context, o Options) error {
	addrs, err := addresses(ctx, o.Port, clusterPorts)
	if err != nil {
		return err
	}
	swindon, self, err := o.programs()
	if err != nil {
		return err
	}
	store, err := os.MkdirTemp("", "swindon-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(store)
	c := newCluster(addrs)
	g := newGroup(ctx, o.Dir, o.Stdout, o.Stderr)
	if err := c.start(g, c.servers(self, store, o.Back), c.natsHealth()); err != nil {
		g.stop(err)
	} else if err := c.start(g, c.processes(swindon, self, o.Back), c.health()); err != nil {
		g.stop(err)
	} else {
		g.tell("The chat is at http://%s/   (Ctrl-C ends it)\n", c.page)
		g.list()
		g.tell("Kill any of them and go on chatting: kill -9 PID. It comes back after %v, the front after %v.", o.Back, frontBack)
	}
	if err := g.wait(); ctx.Err() == nil {
		return err
	}
	return nil // Ctrl-C is how it is meant to end
}

// start starts processes and waits until all these addresses answer.
func (c *cluster) start(g *group, all []process, health []string) error {
	for _, p := range all {
		g.start(p)
	}
	return ready(g.ctx, health...)
}

// urls are the NATS servers as clients know them.
func (c *cluster) urls() []string {
	var urls []string
	for _, n := range c.nats {
		urls = append(urls, "nats://"+n.clients)
	}
	return urls
}

// servers are the NATS servers.
func (c *cluster) servers(self, store string, back time.Duration) []process {
	var all []process
	var routes []string
	for _, n := range c.nats {
		routes = append(routes, "nats://route:example-route@"+n.routes)
	}
	for i, n := range c.nats {
		name := fmt.Sprintf("nats-%d", i+1)
		all = append(all, process{
			name: name, serves: n.clients + " NATS, " + n.health + " health", program: self, back: back, env: []string{"SERVER_NAME=" + name},
			args: []string{
				"nats", "-listen", n.clients, "-cluster", n.routes, "-routes", strings.Join(routes, ","),
				"-health", n.health, "-store", filepath.Join(store, name),
			},
		})
	}
	return all
}

// processes are all the others; each needs only what stands before it.
func (c *cluster) processes(swindon, self string, back time.Duration) []process {
	var all []process
	for i, gw := range c.gateways {
		name := fmt.Sprintf("gateway-%d", i+1)
		all = append(all, process{
			name: name, serves: gw.page + " websockets, " + gw.api + " API, " + gw.admin + " health", program: swindon, back: back,
			args: []string{"--config", "cluster/gateway.yaml"}, env: variables(
				"listen", list(gw.page), "admin.listen", list(gw.admin), "session-pools.main.listen", list(gw.api),
				"http-destinations.chat.addresses", list(c.chat[:]...), "http-destinations.chat.override-host-header", name,
				"nats.url", list(c.urls()...)),
		})
	}
	for i, addr := range c.chat {
		all = append(all, process{
			name: fmt.Sprintf("chat-%d", i+1), serves: addr + " calls over HTTP", program: self, back: back,
			args: []string{"serve", "-listen", addr, "-api", "http://" + c.api, "-api-host", apiHost},
		})
	}
	for i, addr := range c.pizza {
		all = append(all, process{
			name: fmt.Sprintf("pizza-%d", i+1), serves: addr + " health; calls over NATS", program: self, back: back,
			args: []string{"pizza", "-health", addr, "-nats", strings.Join(c.urls(), ","), "-user", "backend", "-password", "example-backend"},
		})
	}
	return append(all, process{
		name: "front", serves: c.page + " page, " + c.api + " API for backends", program: swindon, back: frontBack,
		args: []string{"--config", "cluster/front.yaml"}, env: variables(
			"listen", list(c.page, c.api), "admin.listen", list(c.admin), "http-destinations.chat.addresses", list(c.chat[:]...),
			"http-destinations.gateways.addresses", list(c.gateways[0].page, c.gateways[1].page),
			"http-destinations.backend-api.addresses", list(c.gateways[0].api, c.gateways[1].api)),
	})
}

// apiHost is the host of the route in front.yaml that leads to the gateways' APIs for backends.
const apiHost = "backends.internal"

// natsHealth are the addresses that answer 200 when the NATS servers have found each other and agree who leads.
func (c *cluster) natsHealth() []string {
	var urls []string
	for _, n := range c.nats {
		urls = append(urls, "http://"+n.health+"/healthz?js-server-only=true")
	}
	return urls
}

// health are the addresses that answer 200 when everything can do its work.
func (c *cluster) health() []string {
	return []string{
		"http://" + c.gateways[0].admin + "/ready", "http://" + c.gateways[1].admin + "/ready",
		"http://" + c.pizza[0] + "/health", "http://" + c.pizza[1] + "/health",
		"http://" + c.admin + "/ready", "http://" + c.page + "/api/health",
	}
}
