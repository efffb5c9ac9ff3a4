package broker

import (
	"bytes"
	"net"
	"testing"

	"github.com/swindon-go/swindon/internal/port"
)

// TestIntakeFlood: what arrives while a handler is at work waits, up to the bounds of the queue.
func TestIntakeFlood(t *testing.T) {
	t.Parallel()
	for name, join := range map[string]func(*testing.T, *Broker) *Broker{
		"embedded": func(_ *testing.T, b *Broker) *Broker { return b },
		"external": func(t *testing.T, b *Broker) *Broker {
			t.Helper()
			return open(t, asGateway(b), testDeps(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deps := testDeps(t)
			deps.Node = otherNode
			from := open(t, listening(), deps)
			b := join(t, from)
			if b == from {
				// A node does not hear itself.
				from = open(t, asGateway(b), testDeps(t))
			}
			t.Run("many", func(t *testing.T) { flood(t, from, b, 20000, 1, 0) })
			t.Run("large", func(t *testing.T) { flood(t, from, b, 70, 1<<20, 7) })
		})
	}
}

// flood publishes messages at from while b's handler is at the first of them.
func flood(t *testing.T, from, b *Broker, messages, size, lost int) {
	t.Helper()
	release, ready := make(chan struct{}), make(chan struct{})
	handled, dropped, gaps := 0, count(t, b.m.dropped), count(t, b.m.gaps.WithLabelValues(gapOverflow))
	stop, err := b.Intake([]string{"sw.main.top.>"}, nil, func(m port.Message) {
		switch handled++; {
		case handled == 1:
			close(ready)
			<-release
		case len(m.Data) != size:
			t.Errorf("%d bytes", len(m.Data))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	data := bytes.Repeat([]byte("1"), size)
	for range messages {
		if err := from.Publish(port.Message{Subject: "sw.main.top.x", Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	<-ready
	// The ordered lane is read in order: when b hears of this, it has read the flood.
	read := make(chan struct{})
	stopEnd, err := b.Intake([]string{"sw.main.nodes.end"}, func(port.Message) bool {
		close(read)
		return true
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stopEnd()
	publish := func(subject string) {
		if err := from.Publish(port.Message{Subject: subject, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	publish("sw.main.nodes.end")
	<-read
	if n := count(t, b.m.dropped) - dropped; int(n) != lost {
		t.Errorf("%v messages dropped, want %d", n, lost)
	}
	if n := count(t, b.m.gaps.WithLabelValues(gapOverflow)) - gaps; n != float64(min(lost, 1)) {
		t.Errorf("told of %v gaps", n)
	}
	close(release)
	done := make(chan struct{})
	stopLast, err := b.Intake([]string{"sw.main.nodes.last"}, func(port.Message) bool { close(done); return true }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stopLast()
	publish("sw.main.nodes.last")
	<-done
	for b.intakeBusy() {
		// The handler is at the rest.
		if err := b.Flush(ctx(t)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if handled != messages-lost {
		t.Errorf("handled %d of %d messages", handled, messages)
	}
}

// intakeBusy tells whether any intake has something left.
func (b *Broker) intakeBusy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for in := range b.intakes {
		if !in.idle() {
			return true
		}
	}
	return false
}

// TestPollAtLoss: what a connection has brought is handled although nobody reads from it any more.
func TestPollAtLoss(t *testing.T) {
	t.Parallel()
	b := open(t, DefaultConfig(), testDeps(t))
	heard := make(chan string, 1)
	stop, err := b.Intake([]string{"sw.main.top.>"}, quickly(heard), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	for in := range b.intakes {
		in.ch <- numbered(0, 1)
	}
	b.bus.lost(net.ErrClosed)
	select {
	case s := <-heard:
		if s != "01" {
			t.Errorf("heard %q", s)
		}
	default:
		t.Error("nothing was heard")
	}
}

// TestDialName: a name stands for all its addresses.
func TestDialName(t *testing.T) {
	t.Parallel()
	var l net.ListenConfig
	listener, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	d := tappedDialer{timeout: settleTimeout, shuffle: true, tap: &tap{}}
	for _, host := range []string{"localhost", "127.0.0.1", ""} {
		nc, err := d.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%q: %v", host, err)
			continue
		}
		_ = nc.Close()
	}
	if _, err := d.Dial("tcp", "no.such.host.invalid:1"); err == nil {
		t.Error("connected to nowhere")
	}
}
