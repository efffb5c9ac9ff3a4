package integration

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

func TestAuthorizationRequest(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	for name, test := range map[string]struct {
		target, path  string
		headers       []string
		cookie, basic string // JSON
		query         string
	}{
		"plain":         {"/ws", "/swindon/authorize_connection", nil, "null", "null", ""},
		"cookie":        {"/ws", "/swindon/authorize_connection", []string{"Cookie: a=b; c=d"}, `"a=b; c=d"`, "null", ""},
		"authorization": {"/ws", "/swindon/authorize_connection", []string{"Authorization: Basic x"}, "null", `"Basic x"`, ""},
		"two-cookies":   {"/ws", "/swindon/authorize_connection", []string{"Cookie: a=b", "Cookie: c=d"}, `"a=b; c=d"`, "null", ""},
		"not-utf8":      {"/ws", "/swindon/authorize_connection", []string{"Cookie: a=\xff"}, `"a=\ufffd"`, "null", ""},
		"query":         {"/ws?tab=2&tab=%33?x", "/swindon/authorize_connection", nil, "null", "null", "tab=2&tab=%33?x"},
		"below":         {"/ws/further/down", "/swindon/authorize_connection", nil, "null", "null", ""},
		"old":           {"/old?a", "/tangle/authorize_connection", nil, "null", "null", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			ws, auth, id := c.open(test.target, test.headers...)
			if auth.Method != "POST" || auth.Target != test.path || auth.Proto != "HTTP/1.1" {
				t.Errorf("the backend got\n%s", auth.Head)
			}
			for header, want := range map[string]string{
				"Host": "swindon.internal", "Content-Type": "application/json", "Content-Length": fmt.Sprint(len(auth.Body)),
				"X-Request-Id": id + "-auth", "Authorization": "", "Cookie": "", "Transfer-Encoding": "",
			} {
				if got := auth.Get(header); got != want || want == "" && auth.Has(header) {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			if got := auth.Get("User-Agent"); !regexp.MustCompile(`^swindon/(\d+\.){2}\d+$`).MatchString(got) {
				t.Errorf("User-Agent: %q", got)
			}
			want := fmt.Sprintf(`[{"connection_id":%q},[],{"http_cookie":%s,"http_authorization":%s,"url_querystring":%q}]`,
				id, test.cookie, test.basic, test.query)
			if !testkit.SameJSON(t, auth.Body, want) {
				t.Errorf("the body is\n%s\nwant\n%s", auth.Body, want)
			}
			if !regexp.MustCompile(`^[A-Za-z0-9_-]{32}-\d+$`).MatchString(id) {
				t.Errorf("connection id %q", id)
			}
			auth.JSON(`{"user_id":"ann"}`)
			ws.Shake()
			ws.Want(`["hello",{},{"user_id":"ann"}]`)
		})
	}
}

func TestHello(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	for _, data := range []string{
		`{"user_id":"ann","nick":"Ann","flags":[1,2]}`,
		`{"user_id":"user:1.2-3_4"}`,
		` {"nested": {"a": null}, "user_id": "x"} `,
	} {
		ws, auth, _ := c.open("/ws")
		auth.JSON(data)
		ws.Shake()
		ws.Want(`["hello",{},` + data + `]`)
	}
}

// What is no success: the frame, then the Close frame (protocol §2.6).
func TestAuthorizationFails(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	body := `{"why":"banned"}`
	jsonType := "Content-Type: application/json"
	for _, status := range []int{400, 401, 403, 404, 410, 500, 503} {
		t.Run(fmt.Sprint("status-", status), func(t *testing.T) {
			ws, auth, _ := c.open("/ws")
			auth.Reply(status, body, jsonType)
			ws.Shake()
			ws.Want(fmt.Sprintf(`["fatal_error",{"error_kind":"http_error","http_error":%d},%s]`, status, body))
			ws.Closes(4000+status, "backend_error")
		})
	}
	for name, reply := range map[string]string{
		"100":              "HTTP/1.1 100 Continue\r\n\r\n",
		"101":              "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"201":              reply(201, `{"user_id":"ann"}`, jsonType),
		"204":              "HTTP/1.1 204 No Content\r\n\r\n",
		"301":              reply(301, body, jsonType, "Location: /other"),
		"302":              reply(302, body, jsonType, "Location: http://127.0.0.1:1/"),
		"402":              reply(402, body, jsonType),
		"405":              reply(405, body, jsonType),
		"418":              reply(418, body, jsonType),
		"429":              reply(429, body, jsonType),
		"501":              reply(501, body, jsonType),
		"502":              reply(502, body, jsonType),
		"504":              reply(504, body, jsonType),
		"no-type":          reply(200, `{"user_id":"ann"}`),
		"other-type":       reply(200, `{"user_id":"ann"}`, "Content-Type: text/plain"),
		"other-charset":    reply(200, `{"user_id":"ann"}`, "Content-Type: application/json; charset=latin1"),
		"two-types":        reply(200, `{"user_id":"ann"}`, jsonType, jsonType),
		"not-json":         reply(200, `[not a valid json`, jsonType),
		"empty":            reply(200, ``, jsonType),
		"array":            reply(200, `[]`, jsonType),
		"string":           reply(200, `"ann"`, jsonType),
		"no-user":          reply(200, `{"user":"ann"}`, jsonType),
		"number":           reply(200, `{"user_id":123}`, jsonType),
		"null":             reply(200, `{"user_id":null}`, jsonType),
		"empty-user":       reply(200, `{"user_id":""}`, jsonType),
		"bad-user":         reply(200, `{"user_id":"an n"}`, jsonType),
		"wildcard-user":    reply(200, `{"user_id":"*"}`, jsonType),
		"greater-user":     reply(200, `{"user_id":">"}`, jsonType),
		"trailing-comma":   reply(200, `{"user_id":"ann",}`, jsonType),
		"huge-user":        reply(200, `{"user_id":"`+strings.Repeat("x", 5000)+`"}`, jsonType),
		"malformed-answer": "SMTP 220\r\n\r\n",
	} {
		t.Run("bad-"+name, func(t *testing.T) {
			ws, auth, _ := c.open("/ws")
			auth.Raw(reply)
			ws.Shake()
			ws.Want(`["fatal_error",{"error_kind":"http_error","http_error":500},null]`)
			ws.Closes(4500, "backend_error")
		})
	}
	t.Run("status-body-not-json", func(t *testing.T) {
		for _, r := range []string{reply(403, body, "Content-Type: text/html"), reply(403, body), reply(403, "oops", jsonType)} {
			ws, auth, _ := c.open("/ws")
			auth.Raw(r)
			ws.Shake()
			ws.Want(`["fatal_error",{"error_kind":"http_error","http_error":403},null]`)
			ws.Closes(4403, "backend_error")
		}
	})
	t.Run("dropped", func(t *testing.T) {
		ws, auth, _ := c.open("/ws")
		auth.Drop()
		ws.Shake()
		ws.Want(`["fatal_error",{"error_kind":"http_error","http_error":500},null]`)
		ws.Closes(4500, "backend_error")
	})
	t.Run("two-authorization-headers", func(t *testing.T) {
		ws := testkit.Open(t, c.Addr("HTTP"), "/ws", "Authorization: Basic a", "Authorization: Basic b")
		ws.Shake()
		ws.Want(`["fatal_error",{"error_kind":"http_error","http_error":400},null]`)
		ws.Closes(4400, "backend_error")
		c.backend.None()
	})
	t.Run("next-works", func(t *testing.T) {
		ws, _ := c.connect("ann")
		ws.Silent()
	})
}

func TestAuthorizationTimeout(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("TIMEOUT", "100ms")
	c := &chat{Env: env, t: t, backend: env.Backend("BACKEND"), desk: env.Backend("DESK")}
	c.node = env.Start(chatConfig)
	ws, _, _ := c.open("/ws")
	ws.Shake()
	ws.Want(`["fatal_error",{"error_kind":"http_error","http_error":500},null]`)
	ws.Closes(4500, "backend_error")
}

// At old levels any content type is taken as JSON.
func TestAuthorizationOldLevel(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	for _, headers := range [][]string{nil, {"Content-Type: application/octet-stream"}} {
		ws, auth, _ := c.open("/old")
		auth.Reply(http.StatusOK, `{"user_id":"ann"}`, headers...)
		ws.Shake()
		ws.Want(`["hello",{},{"user_id":"ann"}]`)
		ws, auth, _ = c.open("/old")
		auth.Reply(http.StatusForbidden, `{"no":1}`, headers...)
		ws.Shake()
		ws.Want(`["fatal_error",{"error_kind":"http_error","http_error":403},{"no":1}]`)
		ws.Closes(4403, "backend_error")
	}
}

// A client that leaves while it is being authorized: the call is cancelled, the connection is forgotten.
func TestClientLeavesDuringAuthorization(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, auth, id := c.open("/ws")
	c.accepted("PUT", "/v1/connection/"+id+"/subscriptions/room", "")
	_ = ws.Close()
	auth.AwaitGone()
	testkit.Eventually(t, "the connection is gone", func() bool {
		return c.api("PUT", "/v1/connection/"+id+"/subscriptions/room", "").Get("X-Swindon-Warning") == "connection-gone"
	})
	next, _ := c.connect("ann")
	next.Silent()
}

// Backends that speak HTTP/1.0 and close after each answer serve authorizations and calls alike.
func TestGatewayOneShotBackend(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("TIMEOUT", "10s")
	c := &chat{Env: env, t: t, backend: env.OneShot("BACKEND")}
	c.node = env.Start(chatConfig)
	ws, _ := c.connect("ann")
	for i := range 3 {
		ws.SendText(fmt.Sprintf(`["one.shot",{"request_id":%d},[],{}]`, i))
		call := c.backend.Next()
		if call.Target != "/one/shot" || call.Has("Transfer-Encoding") || call.Get("Content-Length") == "" {
			t.Errorf("the backend got\n%s", call.Head)
		}
		call.JSON(fmt.Sprint(i))
		ws.Want(fmt.Sprintf(`["result",{"request_id":%d},%d]`, i, i))
	}
}

// reply makes the bytes of a backend's answer.
func reply(status int, body string, headers ...string) string {
	text := fmt.Sprintf("HTTP/1.1 %d X\r\n", status)
	for _, h := range headers {
		text += h + "\r\n"
	}
	return text + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}
