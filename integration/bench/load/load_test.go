package load

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/bench/bare"
)

// The generators are proved on the bare programs: what was published is what was received.
func TestPublishReachesAllSubscribers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(bare.NewFanout())
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	subscribers, err := Subscribe(Target{URL: "ws://" + address + "/ws"}, 10)
	if err != nil {
		t.Fatal(err)
	}
	published, err := Publish(Publishing{Address: address, Path: "/publish", Publishers: 4, Size: 128, Length: 50 * time.Millisecond})
	if err != nil || published.Messages == 0 {
		t.Fatalf("Publish = %+v, %v", published, err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for want := published.Messages * 10; ; {
		got := subscribers.Count()
		if got.Frames == want && got.Lost == 0 {
			return
		}
		// Nothing but the counters says that the last message has come.
		if time.Now().After(deadline) || got.Frames > want {
			t.Fatalf("received %+v, want %d messages", got, want)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestPublishTellsRefusals(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(bare.NewFanout())
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	_, err := Publish(Publishing{Address: address, Path: "/nowhere", Publishers: 1, Size: 128, Length: time.Second})
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("publishing to an unknown path: %v", err)
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	if got := Message(128); len(got) != 128 || got[0] != '"' || got[127] != '"' {
		t.Errorf("Message(128) = %q", got)
	}
}

func TestCallersEcho(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(bare.Echo())
	t.Cleanup(server.Close)
	callers, err := Call(Calling{URL: "ws" + strings.TrimPrefix(server.URL, "http") + "/ws", Bare: true, Conns: 2, Depth: 2, Size: 128})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for callers.Count().Frames < 100 {
		if time.Now().After(deadline) {
			t.Fatalf("only %+v", callers.Count())
		}
		time.Sleep(time.Millisecond)
	}
	if got := callers.Count(); got.Lost != 0 {
		t.Errorf("%d echoes failed", got.Lost)
	}
}
