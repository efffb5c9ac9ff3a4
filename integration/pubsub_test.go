package integration

import (
	"fmt"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

func TestPublish(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ann, annID := c.connect("ann")
	bob, bobID := c.connect("bob")
	other, _ := c.connect("eve")
	c.accepted("PUT", "/v1/connection/"+annID+"/subscriptions/rooms/red", "")
	c.accepted("PUT", "/v1/connection/"+annID+"/subscriptions/rooms/red", "") // twice is once
	c.accepted("PUT", "/v1/connection/"+bobID+"/subscriptions/rooms/red", "")
	for _, body := range []string{`{"say":"hi"}`, `null`, `"text"`, ` [1, 2.50, "ü"] `} {
		c.accepted("POST", "/v1/publish/rooms/red", body)
		ann.Want(`["message",{"topic":"rooms.red"},` + body + `]`)
		bob.Want(`["message",{"topic":"rooms.red"},` + body + `]`)
	}
	c.accepted("POST", "/v1/publish/rooms", `1`)
	c.accepted("POST", "/v1/publish/rooms/red/deep", `1`)
	c.accepted("DELETE", "/v1/connection/"+annID+"/subscriptions/rooms/red", "")
	c.accepted("DELETE", "/v1/connection/"+annID+"/subscriptions/rooms/never", "")
	c.accepted("POST", "/v1/publish/rooms/red", `"after"`)
	bob.Want(`["message",{"topic":"rooms.red"},"after"]`)
	for _, ws := range []*testkit.Websocket{ann, bob, other} {
		ws.Silent()
	}
}

func TestPublishOrder(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, id := c.connect("ann")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/a:b", "")
	const messages = 200
	client := testkit.Dial(t, c.Addr("API"))
	for i := range messages {
		client.Send(testkit.HTTP("POST", "/v1/publish/a:b", fmt.Sprint(i), "Content-Type: application/json"))
		if r := client.Response("POST"); r.Status != 204 {
			t.Fatalf("publish is answered\n%s", r.Head)
		}
	}
	for i := range messages {
		ws.Want(fmt.Sprintf(`["message",{"topic":"a:b"},%d]`, i))
	}
	ws.Silent()
}

// A push that was accepted before the backend answered a call is seen before the result (decision D11).
func TestPushBeforeResult(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, id := c.connect("ann")
	for i := range 20 {
		ws.SendText(fmt.Sprintf(`["join",{"request_id":%d},[],{}]`, i))
		call := c.backend.Next()
		topic := fmt.Sprintf("room%d", i)
		c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/"+topic, "")
		c.accepted("POST", "/v1/publish/"+topic, `"first"`)
		call.JSON(`"second"`)
		ws.Want(`["message",{"topic":"` + topic + `"},"first"]`)
		ws.Want(fmt.Sprintf(`["result",{"request_id":%d},"second"]`, i))
	}
}

// A connection can be subscribed while its authorization is under way; what is published then comes after hello.
func TestPendingConnection(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, auth, id := c.open("/ws")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/early", "")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/left", "")
	c.accepted("POST", "/v1/publish/early", `1`)
	c.accepted("POST", "/v1/publish/left", `2`)
	c.accepted("DELETE", "/v1/connection/"+id+"/subscriptions/left", "")
	c.accepted("POST", "/v1/publish/left", `"unheard"`)
	c.accepted("POST", "/v1/publish/early", `3`)
	ws.Silent()
	auth.JSON(`{"user_id":"ann"}`)
	ws.Shake()
	ws.Want(`["hello",{},{"user_id":"ann"}]`)
	for _, want := range []string{`["message",{"topic":"early"},1]`, `["message",{"topic":"left"},2]`, `["message",{"topic":"early"},3]`} {
		ws.Want(want)
	}
	c.accepted("POST", "/v1/publish/early", `4`)
	ws.Want(`["message",{"topic":"early"},4]`)
	ws.Silent()
}

// When authorization fails, all that was registered vanishes.
func TestPendingConnectionFails(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, auth, id := c.open("/ws")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/early", "")
	c.accepted("POST", "/v1/publish/early", `1`)
	auth.Reply(403, `null`, "Content-Type: application/json")
	ws.Shake()
	ws.Want(`["fatal_error",{"error_kind":"http_error","http_error":403},null]`)
	ws.Closes(4403, "backend_error")
	if r := c.api("PUT", "/v1/connection/"+id+"/subscriptions/early", ""); r.Status != 204 || r.Get("X-Swindon-Warning") != "connection-gone" {
		t.Errorf("subscribing a failed connection is answered\n%s", r.Head)
	}
	c.accepted("POST", "/v1/publish/early", `2`)
}

func TestDisconnectUnsubscribes(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, id := c.connect("ann")
	stays, stayID := c.connect("bob")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
	c.accepted("PUT", "/v1/connection/"+stayID+"/subscriptions/room", "")
	ws.SendFrame(testkit.OpClose, "\x03\xe8")
	ws.Closes(1000, "")
	testkit.Eventually(t, "the connection is gone", func() bool {
		return c.api("PUT", "/v1/connection/"+id+"/subscriptions/room", "").Get("X-Swindon-Warning") == "connection-gone"
	})
	c.accepted("POST", "/v1/publish/room", `1`)
	stays.Want(`["message",{"topic":"room"},1]`)
	stays.Silent()
}
