package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// freeAddr is an address that nobody listens on at the moment.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// meshNode starts a node of a mesh.
func meshNode(t *testing.T, id names.NodeID, addr string, token names.Secret, peers ...string) *Broker {
	t.Helper()
	deps := testDeps(t)
	deps.Node = id
	deps.Mesh = DefaultMeshConfig()
	deps.Mesh.Listen, deps.Mesh.Peers, deps.Mesh.Token = []string{addr}, peers, token
	return open(t, DefaultConfig(), deps)
}

// reach asks from one node until another one answers: a cluster forms by itself.
func reach(t *testing.T, from *Broker, subject string) string {
	t.Helper()
	c := ctx(t)
	for {
		m, err := from.Request(c, port.LaneOrdered, port.Message{Subject: subject})
		if err == nil {
			return string(m.Data)
		}
		if !errors.Is(err, port.ErrNoResponders) {
			t.Fatal(err)
		}
	}
}

func answerAs(t *testing.T, b *Broker, subject, text string) {
	t.Helper()
	stop, err := b.Intake([]string{subject}, nil, func(m port.Message) {
		if err := b.Publish(port.Message{Subject: m.Reply, Data: []byte(text)}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// TestMesh: three nodes, each told of one other (and one of itself), reach each other, and none has a store.
func TestMesh(t *testing.T) {
	t.Parallel()
	addrs := []string{freeAddr(t), freeAddr(t), freeAddr(t)}
	peers := [][]string{{addrs[0], addrs[1]}, {addrs[2]}, {addrs[1]}}
	var nodes []*Broker
	for i, addr := range addrs {
		id := names.NodeID(fmt.Sprintf("%032d", i))
		nodes = append(nodes, meshNode(t, id, addr, "secret/%", peers[i]...))
		answerAs(t, nodes[i], fmt.Sprintf("sw.main.node.%d.ping", i), fmt.Sprint(i))
		if nodes[i].Store("main") != nil || nodes[i].NodesStore() != nil {
			t.Error("a mesh has a store")
		}
	}
	for i, from := range nodes {
		for j := range nodes {
			if i != j {
				if got := reach(t, from, fmt.Sprintf("sw.main.node.%d.ping", j)); got != fmt.Sprint(j) {
					t.Errorf("%d → %d: %q", i, j, got)
				}
			}
		}
	}
	nodes[2].Close(context.WithoutCancel(t.Context()))
	if got := reach(t, nodes[0], "sw.main.node.1.ping"); got != "1" {
		t.Errorf("after one has left: %q", got)
	}
}

// TestMeshToken: who has another token does not get in.
func TestMeshToken(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	a := meshNode(t, testNode, addr, "right")
	b := meshNode(t, otherNode, freeAddr(t), "right", addr)
	stranger := meshNode(t, "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC", freeAddr(t), "wrong", addr)
	answerAs(t, b, "sw.main.node.b.ping", "b")
	answerAs(t, stranger, "sw.main.node.c.ping", "c")
	if got := reach(t, a, "sw.main.node.b.ping"); got != "b" {
		t.Errorf("got %q", got)
	}
	_, err := a.Request(ctx(t), port.LaneOrdered, port.Message{Subject: "sw.main.node.c.ping"})
	if !errors.Is(err, port.ErrNoResponders) {
		t.Errorf("the stranger: %v", err)
	}
}

// TestPeers: a node learns who is up at the addresses that it was given, itself left out, whatever else listens there.
func TestPeers(t *testing.T) {
	t.Parallel()
	addrs := []string{freeAddr(t), freeAddr(t)}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "220 mail.example.org ESMTP\r\n")
			c.Close()
		}
	}()
	peers := []string{addrs[0], addrs[1], freeAddr(t), other.Addr().String()}
	a := meshNode(t, testNode, addrs[0], "secret", peers...)
	if got := a.Peers(ctx(t)); len(got) != 0 {
		t.Errorf("alone: %v", got)
	}
	b := meshNode(t, otherNode, addrs[1], "secret", append(peers, addrs[0])...)
	if got := a.Peers(ctx(t)); len(got) != 1 || got[0] != otherNode {
		t.Errorf("a sees %v", got)
	}
	if got := b.Peers(ctx(t)); len(got) != 1 || got[0] != testNode {
		t.Errorf("b sees %v", got)
	}
	if got := open(t, DefaultConfig(), testDeps(t)).Peers(ctx(t)); len(got) != 0 {
		t.Errorf("without a mesh: %v", got)
	}
}
