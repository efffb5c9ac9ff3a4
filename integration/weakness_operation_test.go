package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/integration/testkit"
)

// Who has no token commands nothing through the API, and joins no mesh.
func TestWeakness25NoAuthentication(t *testing.T) {
	t.Parallel()
	t.Run("api", func(t *testing.T) {
		t.Parallel()
		c := startWeak(t, "    api-tokens: [secret]\n")
		ws, id := c.connect("ann")
		for path, method := range map[string]string{
			"/v1/publish/room": "POST", "/v1/connection/" + id + "/subscriptions/room": "PUT", "/v1/lattice/desk": "POST",
			"/v1/connection/" + id + "/lattices/desk": "PUT", "/v1/connection/" + id + "/users": "PUT",
		} {
			for _, headers := range [][]string{nil, {"Authorization: Bearer wrong"}} {
				wantEmpty(t, fmt.Sprint(method, path, headers), c.api(method, path, `[]`, headers...), 401)
			}
		}
		if r := c.api("PUT", "/v1/connection/"+id+"/subscriptions/room", "", "Authorization: Bearer secret"); r.Status != 204 {
			t.Errorf("with the token\n%s", r.Head)
		}
		ws.Silent()
	})
	t.Run("mesh", func(t *testing.T) {
		t.Parallel()
		envs := [3]*testkit.Env{testkit.New(t), testkit.New(t), testkit.New(t)}
		backend := envs[0].Backend("BACKEND")
		var nodes [3]*chat
		for i, env := range envs {
			env.Set("BACKEND", backend.Addr())
			env.Set("PEER", envs[(i+1)%2].Addr("REPL"))
			config := natsConfig + meshConfig
			if i == 2 {
				config = strings.Replace(config, "token: secret", "token: wrong", 1)
			}
			nodes[i] = &chat{Env: env, t: t, backend: backend}
			nodes[i].node = env.Start(config)
		}
		for _, c := range nodes {
			c.node.AwaitAddr(c.Addr("API"))
		}
		ws, id := nodes[0].connect("ann")
		testkit.Eventually(t, "the nodes with the right token know each other", func() bool {
			r := nodes[1].api("PUT", "/v1/connection/"+id+"/subscriptions/friend", "")
			return r.Status == 204 && r.Get("X-Swindon-Warning") == ""
		})
		if r := nodes[2].api("PUT", "/v1/connection/"+id+"/subscriptions/stranger", ""); r.Status == 204 && r.Get("X-Swindon-Warning") == "" {
			t.Errorf("the stranger's subscribe is answered\n%s", r.Head)
		}
		nodes[2].api("POST", "/v1/publish/friend", `"strange"`, "Content-Type: application/json")
		nodes[1].accepted("POST", "/v1/publish/stranger", `"not subscribed"`)
		nodes[1].accepted("POST", "/v1/publish/friend", `1`)
		ws.Want(`["message",{"topic":"friend"},1]`)
		ws.Silent()
	})
}

// A reload reaches the settings of session pools and destinations that exist, with websockets open, at once.
func TestWeakness27ReloadKeepsOldValues(t *testing.T) {
	t.Parallel()
	c := startWeak(t, "")
	ws, id := c.connect("ann")
	old := c.backend
	c.backend = c.Backend("BACKEND") // the destination has another address
	c.Set("TIMEOUT", "300ms")
	begin := time.Now()
	c.reload(weakConfig("    max-subscriptions-per-connection: 1\n    new-connection-idle-timeout: 1s\n    inactivity-handlers: [backend]\n"))
	c.node.Stderr.Await(t, "Updated config: ")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/a", "")
	wantEmpty(t, "beyond the new limit", c.api("PUT", "/v1/connection/"+id+"/subscriptions/b", ""), 400)
	ws.SendText(`["a",{"request_id":1},[],{}]`)
	call := c.backend.Next()
	ws.Want(`["error",{"request_id":1,"error_kind":"http_error","http_error":500},null]`)
	call.Drop()
	c.connect("bob")
	notice := c.backend.Next()
	if !strings.HasSuffix(notice.Target, "/session_inactive") {
		t.Errorf("the new backend got\n%s", notice.Head)
	}
	notice.Reply(200, "")
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	old.None()
	c.backend.None()
}

// A slow client of one session pool, with a large fan-out to it, delays neither others of the same one nor another session pool.
func TestWeakness28OneThreadForAll(t *testing.T) {
	t.Parallel()
	c := startWeak(t, "    max-outgoing-bytes: 20M\n")
	_, slowID := c.connect("slow") // reads nothing
	same, sameID := c.connect("same")
	other, auth, otherID := c.open("/old")
	auth.JSON(`{"user_id":"other"}`)
	other.Shake()
	other.Want(`["hello",{},{"user_id":"other"}]`)
	c.accepted("PUT", "/v1/connection/"+slowID+"/subscriptions/flood", "")
	c.accepted("PUT", "/v1/connection/"+sameID+"/subscriptions/room", "")
	if r := testkit.Do(t, c.Addr("OLDAPI"), testkit.HTTP("PUT", "/v1/connection/"+otherID+"/subscriptions/room", "")); r.Status != 204 {
		t.Fatalf("the other session pool answers\n%s", r.Head)
	}
	body := `"` + strings.Repeat("x", 200_000) + `"`
	for i := range 60 {
		c.accepted("POST", "/v1/publish/flood", body)
		begin := time.Now()
		c.accepted("POST", "/v1/publish/room", fmt.Sprint(i))
		if r := testkit.Do(t, c.Addr("OLDAPI"), testkit.HTTP("POST", "/v1/publish/room", fmt.Sprint(i), "Content-Type: application/json")); r.Status != 204 {
			t.Fatalf("the other session pool answers\n%s", r.Head)
		}
		for _, ws := range []*testkit.Websocket{same, other} {
			ws.Want(fmt.Sprintf(`["message",{"topic":"room"},%d]`, i))
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("message %d took %v", i, took)
		}
	}
}

// A call to a backend that cannot be reached waits for a bounded time and has an answer.
func TestWeakness29CallsWaitForEver(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("TIMEOUT", "10s")
	env.Addr("DESK") // nobody listens there
	c := &chat{Env: env, t: t, backend: env.Backend("BACKEND")}
	c.node = env.Start(strings.Replace(chatConfig, "desk.internal\n", "desk.internal\n    queue-timeout: 300ms\n", 1))
	c.node.AwaitAddr(env.Addr("API"))
	ws, _ := c.connect("ann")
	begin := time.Now()
	ws.SendText(`["desk.a",{"request_id":1},[],{}]`)
	ws.Want(`["error",{"request_id":1,"error_kind":"http_error","http_error":503},null]`)
	if took := time.Since(begin); took < 270*time.Millisecond || took > 5*time.Second {
		t.Errorf("given up after %v", took)
	}
	ws.SendText(`["a",{"request_id":2},[],{}]`)
	c.backend.Next().JSON(`1`)
	ws.Want(`["result",{"request_id":2},1]`)
	ws.Silent()
}
