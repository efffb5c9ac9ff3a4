package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// A session pool is taken out of the configuration while the backend is asked about one of its connections: the original's process
// died of it.
func TestWeakness21PoolRemovedWhileAuthorizing(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	pending, auth, _ := c.open("/ws")
	late, lateAuth, _ := c.open("/ws")
	c.reload(lifeConfig)
	auth.AwaitGone() // nobody waits for the answer any more
	lateAuth.JSON(`{"user_id":"late"}`)
	for _, ws := range []*testkit.Websocket{pending, late} {
		ws.ClosedOrReset()
	}
	testkit.Eventually(t, "the new configuration is in force", func() bool { return testkit.Get(t, c.Addr("HTTP"), "/a").Status == 200 })
	if c.node.Ended() {
		t.Fatal("the program ended")
	}
}

// A session pool is removed and comes back while an old websocket is still open: its disconnect ended the original's process.
func TestWeakness22PoolComesBack(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	old, oldID := c.connect("ann")
	c.accepted("PUT", "/v1/connection/"+oldID+"/subscriptions/room", "")
	c.reload(lifeConfig)
	if opcode, payload := old.Frame(); opcode != testkit.OpClose || payload[2:] != "session_pool_stopped" { // which it does not answer
		t.Errorf("the old websocket got opcode %d, %q", opcode, payload)
	}
	testkit.Eventually(t, "the session pool is gone", func() bool { return testkit.Get(t, c.Addr("HTTP"), "/a").Status == 200 })
	c.reload(chatConfig)
	testkit.Eventually(t, "the session pool is back", func() bool { return testkit.Get(t, c.Addr("HTTP"), "/a").Status == 404 })
	ws, id := c.connect("ann")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
	_ = old.Close()
	c.accepted("POST", "/v1/publish/room", `1`)
	ws.Want(`["message",{"topic":"room"},1]`)
	if r := c.api("PUT", "/v1/connection/"+oldID+"/subscriptions/room", ""); r.Get("X-Swindon-Warning") != "connection-gone" {
		t.Errorf("a connection of the old session pool is answered\n%s", r.Head)
	}
	ws.Silent()
	if c.node.Ended() {
		t.Fatal("the program ended")
	}
}

// Close frames are answered, the gateway's own carry their codes, and the socket is closed at once, not after a timeout.
func TestWeakness23CloseHandling(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	leaving, _ := c.connect("ann")
	staying, _ := c.connect("bob")
	begin := time.Now()
	leaving.SendFrame(testkit.OpClose, "\x0f\xa0bye")
	if opcode, payload := leaving.Frame(); opcode != testkit.OpClose || payload[:2] != "\x0f\xa0" {
		t.Errorf("Close 4000 is answered with opcode %d, %q", opcode, payload)
	}
	leaving.Closed()
	c.reload(lifeConfig)
	staying.Closes(4001, "session_pool_stopped") // no text frame before it
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("closing took %v", took)
	}
}

// Each way to break the protocol is told the client by a code.
func TestWeakness24ProtocolErrorsHaveCodes(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	for name, test := range map[string]struct {
		frame, code string
	}{
		"reserved-bit": {"\xc1" + frame(true, testkit.OpText, "[]")[1:], "\x03\xea"},
		"unmasked":     {frame(false, testkit.OpText, "[]"), "\x03\xea"},
		"binary":       {frame(true, testkit.OpBinary, "[]"), "\x03\xeb"},
		"not-utf8":     {frame(true, testkit.OpText, "[\"\xff\"]"), "\x03\xef"},
		"no-call":      {frame(true, testkit.OpText, `{"a":1}`), "\x03\xf0"},
		"too-large":    {"\x81\xff\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00", "\x03\xf1"},
	} {
		t.Run(name, func(t *testing.T) {
			ws := connectAny(t, c)
			ws.Send(test.frame)
			if opcode, payload := ws.Frame(); opcode != testkit.OpClose || !strings.HasPrefix(payload, test.code) {
				t.Errorf("closed with opcode %d, %q; want the code %q", opcode, payload, test.code)
			}
		})
	}
}
