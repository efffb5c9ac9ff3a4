package integration

import (
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// wantEmpty checks an error of the backend API: no body, and a length that says so.
func wantEmpty(t *testing.T, what string, r *testkit.Response, status int) {
	t.Helper()
	if r.Status != status || r.Body != "" || r.Get("Content-Length") != "0" {
		t.Errorf("%s is answered\n%s%q\nwant %d and nothing", what, r.Head, r.Body, status)
	}
}

// unknownConn is well-formed, but no connection has it.
var unknownConn = strings.Repeat("x", 32) + "-7"

func TestAPINotFound(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	_, id := c.connect("ann")
	json := "Content-Type: application/json"
	t.Run("paths", func(t *testing.T) {
		for _, path := range []string{
			"/", "/v1", "/v1/", "/v2/connection/" + id + "/subscriptions/a", "/v1/unknown", "/connection/" + id + "/subscriptions/a",
			"/v1/connection", "/v1/connection/", "/v1/connection/" + id, "/v1/connection/" + id + "/", "/v1/connection/" + id + "/unknown/a",
			"/v1/connection/" + id + "/subscriptions", "/v1/connection/" + id + "/subscriptions/", "/v1/connection/1/subscriptions/a",
			"/v1/connection/invalid-cid/subscriptions/a", "/v1/connection/" + id + "x/subscriptions/a", "/v1/connection/" + id[:20] + "/subscriptions/a",
			"/v1/connection/" + id + "/subscriptions/a.b", "/v1/connection/" + id + "/subscriptions/a%20b", "/v1/connection/" + id + "/subscriptions/a?b",
			"/v1/connection/" + id + "/subscriptions/a*", "/v1/connection/" + id + "/subscriptions/>", "//v1/connection/" + id + "/subscriptions/a",
			"/v1//connection/" + id + "/subscriptions/a", "/v1/connection/../connection/" + id + "/subscriptions/a",
			"/v1/connection/" + id + "/lattices", "/v1/connection/" + id + "/lattices/", "/v1/connection/1/lattices/a", "/v1/connection/" + id + "/lattices/a:b",
			"/v1/publish", "/v1/publish/", "/v1/publish/a", "/v1/lattice", "/v1/lattice/", "/v1/lattice/a",
			"/v1/connection/1/users", "/v1/user", "/v1/user/", "/v1/user/ann", "/v1/user/ann/", "/v1/user/a%20b/users", "/v1/user/a/b/users",
			"/v1/connection/" + id + "/subscriptions/" + strings.Repeat("x", 500),
		} {
			wantEmpty(t, "PUT "+path, c.api("PUT", path, "", "Content-Length: 0"), 404)
		}
	})
	t.Run("methods", func(t *testing.T) {
		for _, path := range []string{"/v1/connection/" + id + "/subscriptions/a", "/v1/connection/" + id + "/lattices/a", "/v1/connection/" + id + "/users"} {
			for _, method := range []string{"GET", "HEAD", "POST", "UPDATE", "PATCH", "XXX", "put", "OPTIONS"} {
				wantEmpty(t, method+" "+path, c.api(method, path, "", "Content-Length: 0"), 404)
			}
		}
		for _, path := range []string{"/v1/publish/a", "/v1/lattice/a"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "UPDATE", "PATCH", "XXX", "DELETE", "post"} {
				wantEmpty(t, method+" "+path, c.api(method, path, `{"some":"body"}`), 404)
			}
		}
		for _, method := range []string{"GET", "POST", "DELETE", "XXX"} {
			wantEmpty(t, method+" user", c.api(method, "/v1/user/ann/users", `[]`, json), 404)
		}
	})
	t.Run("no-path", func(t *testing.T) {
		r := testkit.Do(t, c.Addr("API"), "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
		wantEmpty(t, "OPTIONS *", r, 400)
	})
}

func TestAPIForbidden(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	_, id := c.connect("ann")
	for _, cid := range []string{id, unknownConn} {
		for _, namespace := range []string{"swindon/user", "swindon/a/b"} {
			for _, method := range []string{"PUT", "DELETE"} {
				wantEmpty(t, method+" "+namespace, c.api(method, "/v1/connection/"+cid+"/lattices/"+namespace, ""), 403)
			}
		}
	}
	wantEmpty(t, "POST swindon/user", c.api("POST", "/v1/lattice/swindon/user", `{}`, "Content-Type: application/json"), 403)
}

func TestAPIBadRequest(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, id := c.connect("ann")
	json := "Content-Type: application/json"
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/a", "")
	for name, r := range map[string]*testkit.Response{
		"subscribe-with-body":   c.api("PUT", "/v1/connection/"+id+"/subscriptions/b", "x"),
		"unsubscribe-with-body": c.api("DELETE", "/v1/connection/"+id+"/subscriptions/a", "x"),
		"no-type":               c.api("POST", "/v1/publish/a", `1`),
		"other-type":            c.api("POST", "/v1/publish/a", `1`, "Content-Type: application/octet-stream"),
		"other-charset":         c.api("POST", "/v1/publish/a", `1`, json+"; charset=latin1"),
		"two-types":             c.api("POST", "/v1/publish/a", `1`, json, json),
		"empty":                 c.api("POST", "/v1/publish/a", "", json, "Content-Length: 0"),
		"not-json":              c.api("POST", "/v1/publish/a", `{`, json),
		"trailing":              c.api("POST", "/v1/publish/a", `1 1`, json),
		"not-utf8":              c.api("POST", "/v1/publish/a", "\"\xff\"", json),
		"too-deep":              c.api("POST", "/v1/publish/a", strings.Repeat("[", 200)+strings.Repeat("]", 200), json),
	} {
		wantEmpty(t, name, r, 400)
	}
	wantEmpty(t, "too large", c.api("POST", "/v1/publish/a", `"`+strings.Repeat("x", 200_000)+`"`, json), 413)
	ws.Silent()
	c.accepted("POST", "/v1/publish/a", `"next works"`)
	ws.Want(`["message",{"topic":"a"},"next works"]`)
}

func TestAPIConnections(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	for _, method := range []string{"PUT", "DELETE"} {
		r := c.api(method, "/v1/connection/"+unknownConn+"/subscriptions/a", "")
		if r.Status != 204 || r.Get("X-Swindon-Warning") != "connection-gone" {
			t.Errorf("%s for an unknown connection is answered\n%s", method, r.Head)
		}
	}
	ws, id := c.connect("ann")
	for _, topic := range []string{"a/", "a//b", "a:b", "swindon", "-_"} {
		c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/"+topic, "")
		c.accepted("POST", "/v1/publish/"+topic, `1`)
		ws.Want(`["message",{"topic":"` + strings.ReplaceAll(topic, "/", ".") + `"},1]`)
	}
	ws.Silent()
}

// Weak session pools take any type, and none.
func TestAPIOldLevel(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, auth, id := c.open("/old")
	auth.JSON(`{"user_id":"ann"}`)
	ws.Shake()
	ws.Want(`["hello",{},{"user_id":"ann"}]`)
	for _, headers := range [][]string{nil, {"Content-Type: application/octet-stream"}} {
		if r := testkit.Do(t, c.Addr("OLDAPI"), testkit.HTTP("PUT", "/v1/connection/"+id+"/subscriptions/a", "")); r.Status != 204 {
			t.Fatalf("subscribing is answered\n%s", r.Head)
		}
		if r := testkit.Do(t, c.Addr("OLDAPI"), testkit.HTTP("POST", "/v1/publish/a", `1`, headers...)); r.Status != 204 {
			t.Fatalf("publishing with %v is answered\n%s", headers, r.Head)
		}
		ws.Want(`["message",{"topic":"a"},1]`)
	}
	// Session pools are worlds of their own.
	c.accepted("POST", "/v1/publish/a", `2`)
	ws.Silent()
}

// A keep-alive connection serves many requests, also after errors, and HTTP/1.0 is served as well.
func TestAPIConnectionReuse(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	client := testkit.Dial(t, c.Addr("API"))
	client.Send(testkit.HTTP("POST", "/v1/publish/a", `1`, "Content-Type: application/json") +
		testkit.HTTP("PUT", "/v1/nothing", "", "Content-Length: 0") +
		testkit.HTTP("POST", "/v1/publish/a", `{`, "Content-Type: application/json") +
		testkit.HTTP("POST", "/v1/publish/a", `2`, "Content-Type: application/json"))
	for _, want := range []int{204, 404, 400, 204} {
		if r := client.Response("POST"); r.Status != want {
			t.Errorf("answered %s, want %d", r.Head, want)
		}
	}
	old := testkit.Dial(t, c.Addr("API"))
	old.Send("POST /v1/publish/a HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1")
	if r := old.Response("POST"); r.Status != 204 || r.Proto != "HTTP/1.0" {
		t.Errorf("HTTP/1.0 is answered\n%s", r.Head)
	}
	old.Closed()
}
