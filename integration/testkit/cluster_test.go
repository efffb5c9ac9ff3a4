package testkit

import (
	"io"
	"os"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Cleanup()
	os.Exit(code)
}

// A link that is down ends what it carries and takes nothing new; up again, it carries.
func TestLinkDown(t *testing.T) {
	t.Parallel()
	env := New(t)
	link := env.Link("LINK", echoServer(t))
	carries := func() bool {
		c := Dial(t, env.Addr("LINK"))
		defer func() { _ = c.Close() }()
		if _, err := c.Write([]byte("x")); err != nil {
			return false
		}
		_, err := io.ReadFull(c, make([]byte, 1))
		return err == nil
	}
	if !carries() {
		t.Fatal("the link carries nothing")
	}
	client := Dial(t, env.Addr("LINK"))
	client.Send("x")
	client.WantRaw("x")
	link.Down()
	client.ClosedOrReset()
	if carries() {
		t.Error("the link carries although it is down")
	}
	link.Up()
	if !carries() {
		t.Error("the link carries nothing after Up")
	}
}

var natsKV = nats.KeyValueConfig{Bucket: "test"}

// A NATS server that is killed comes back at its address with its store.
func TestNATSServers(t *testing.T) {
	t.Parallel()
	env := New(t)
	s := env.NATSServers(1)[0]
	js, err := Connect(t, s.URL()).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(&natsKV)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put("key", []byte("value")); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Start()
	s.AwaitAddr(s.Addr)
	js, err = Connect(t, s.URL()).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	kv, err = js.KeyValue(natsKV.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := kv.Get("key"); err != nil || string(e.Value()) != "value" {
		t.Errorf("after the restart the key is %v, %v", e, err)
	}
}
