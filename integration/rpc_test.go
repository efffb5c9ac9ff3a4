package integration

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

func TestCallRequest(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, id := c.connect("ann")
	for name, test := range map[string]struct {
		frame, target, host, body string
		desk                      bool
		requestID                 string
	}{
		"default": {
			`["chat.send_message",{"request_id":17,"active":90,"x":null},["T-5"],{"notify":true}]`, "/chat/send_message", "swindon.internal",
			`[{"connection_id":"` + id + `","request_id":17,"active":90,"x":null},["T-5"],{"notify":true}]`, false, id + "-17",
		},
		"string-id": {
			`["a",{"request_id":"abc_-Z9"},[],{}]`, "/a", "swindon.internal",
			`[{"connection_id":"` + id + `","request_id":"abc_-Z9"},[],{}]`, false, id + "-abc_-Z9",
		},
		"own-connection-id": {
			`["a",{"request_id":1,"connection_id":"forged"},[],{}]`, "/a", "swindon.internal",
			`[{"connection_id":"` + id + `","request_id":1},[],{}]`, false, id + "-1",
		},
		"dots": {
			`["a..b.",{"request_id":1},[],{}]`, "/a//b/", "swindon.internal", `[{"connection_id":"` + id + `","request_id":1},[],{}]`, false, id + "-1",
		},
		"glob": {
			`["desk.list",{"request_id":1},[1.5,"ü",[]],{}]`, "/inner/path/desk/list", "desk.internal",
			`[{"connection_id":"` + id + `","request_id":1},[1.5,"ü",[]],{}]`, true, "",
		},
		"longest-glob": {
			`["desk.deep.x",{"request_id":1},[],{}]`, "/deep/desk/deep/x", "deep.internal", `[{"connection_id":"` + id + `","request_id":1},[],{}]`, true, "",
		},
		"glob-needs-more": {
			`["desk",{"request_id":1},[],{}]`, "/desk", "swindon.internal", `[{"connection_id":"` + id + `","request_id":1},[],{}]`, false, id + "-1",
		},
		"white-space": {
			` [ "a" , { "request_id" : 1 } , [ ] , { } ] `, "/a", "swindon.internal", `[{"connection_id":"` + id + `","request_id":1},[],{}]`, false, id + "-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			ws.SendText(test.frame)
			backend := c.backend
			if test.desk {
				backend = c.desk
			}
			call := backend.Next()
			if call.Method != "POST" || call.Target != test.target || call.Proto != "HTTP/1.1" {
				t.Errorf("the backend got\n%s", call.Head)
			}
			for header, want := range map[string]string{
				"Host": test.host, "Content-Type": "application/json", "Content-Length": fmt.Sprint(len(call.Body)), "X-Request-Id": test.requestID,
				"Authorization": "Swindon+json " + base64.StdEncoding.EncodeToString([]byte(`{"user_id":"ann"}`)), "Transfer-Encoding": "",
			} {
				if got := call.Get(header); got != want || want == "" && call.Has(header) {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			if !strings.HasPrefix(call.Get("User-Agent"), "swindon/") {
				t.Errorf("User-Agent: %q", call.Get("User-Agent"))
			}
			if !testkit.SameJSON(t, call.Body, test.body) {
				t.Errorf("the body is\n%s\nwant\n%s", call.Body, test.body)
			}
			call.JSON(`{"ok":1}`)
			if got := ws.Text(); !strings.HasPrefix(got, `["result",`) {
				t.Errorf("the client got %s", got)
			}
		})
	}
	ws.Silent()
}

// At old levels the scheme is another, and types of replies do not matter.
func TestCallOldLevel(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, auth, _ := c.open("/old")
	auth.JSON(`{"user_id":"ann"}`)
	ws.Shake()
	ws.Want(`["hello",{},{"user_id":"ann"}]`)
	ws.SendText(`["a",{"request_id":1},[],{}]`)
	call := c.backend.Next()
	if got, want := call.Get("Authorization"), "Tangle "+base64.StdEncoding.EncodeToString([]byte(`{"user_id":"ann"}`)); got != want {
		t.Errorf("Authorization: %q, want %q", got, want)
	}
	call.Reply(200, `[1]`, "Content-Type: text/plain")
	ws.Want(`["result",{"request_id":1},[1]]`)
	ws.SendText(`["a",{"request_id":2},[],{}]`)
	c.backend.Next().Reply(404, `"none"`)
	ws.Want(`["error",{"request_id":2,"error_kind":"http_error","http_error":404},"none"]`)
}

func TestCallReplies(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, _ := c.connect("ann")
	jsonType := "Content-Type: application/json"
	for name, test := range map[string]struct{ reply, event, meta, data string }{
		"object":         {reply(200, `{"closed":true}`, jsonType), "result", ``, `{"closed":true}`},
		"null":           {reply(200, `null`, jsonType), "result", ``, `null`},
		"zero":           {reply(200, `0`, jsonType), "result", ``, `0`},
		"string":         {reply(200, `"x"`, jsonType), "result", ``, `"x"`},
		"charset":        {reply(200, `1`, "Content-Type: Application/JSON; charset=utf-8"), "result", ``, `1`},
		"quoted-charset": {reply(200, `1`, `Content-Type: application/json; charset="UTF-8"`), "result", ``, `1`},
		"chunked":        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n", "result", ``, `[]`},
		"not-json":       {reply(200, `[not a valid json`, jsonType), "error", `,"error_kind":"data_error"`, `"expected ident at line 1 column 3"`},
		"empty":          {reply(200, ``, jsonType), "error", `,"error_kind":"data_error"`, `"EOF while parsing a value at line 1 column 0"`},
		"no-type":        {reply(200, `1`), "error", `,"error_kind":"http_error","http_error":500`, `null`},
		"other-type":     {reply(200, `1`, "Content-Type: text/plain"), "error", `,"error_kind":"http_error","http_error":500`, `null`},
		"conflict":       {reply(409, `{"state":"locked"}`, jsonType), "error", `,"error_kind":"http_error","http_error":409`, `{"state":"locked"}`},
		"created":        {reply(201, `{"id":1}`, jsonType), "error", `,"error_kind":"http_error","http_error":201`, `{"id":1}`},
		"no-content":     {"HTTP/1.1 204 No Content\r\n\r\n", "error", `,"error_kind":"http_error","http_error":204`, `null`},
		"teapot":         {reply(418, `"short"`, jsonType), "error", `,"error_kind":"http_error","http_error":418`, `"short"`},
		"html-error":     {reply(502, `<html>`, "Content-Type: text/html"), "error", `,"error_kind":"http_error","http_error":502`, `null`},
		"bad-json-error": {reply(400, `{`, jsonType), "error", `,"error_kind":"http_error","http_error":400`, `null`},
		"redirect":       {reply(302, `1`, jsonType, "Location: /x"), "error", `,"error_kind":"http_error","http_error":302`, `1`},
		"malformed":      {"SMTP 220\r\n\r\n", "error", `,"error_kind":"http_error","http_error":500`, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			ws.SendText(`["a",{"request_id":"` + name + `","active":90},[],{}]`)
			c.backend.Next().Raw(test.reply)
			ws.Want(`["` + test.event + `",{"request_id":"` + name + `","active":90` + test.meta + `},` + test.data + `]`)
		})
	}
	t.Run("dropped", func(t *testing.T) {
		ws.SendText(`["a",{"request_id":1},[],{}]`)
		c.backend.Next().Drop()
		ws.Want(`["error",{"request_id":1,"error_kind":"http_error","http_error":500},null]`)
	})
	t.Run("timeout", func(t *testing.T) {
		ws.SendText(`["slow.a",{"request_id":2},[],{}]`)
		late := c.backend.Next()
		ws.Want(`["error",{"request_id":2,"error_kind":"http_error","http_error":500},null]`)
		late.Drop()
	})
	t.Run("next-works", func(t *testing.T) {
		ws.SendText(`["a",{"request_id":3},[],{}]`)
		c.backend.Next().JSON(`"fine"`)
		ws.Want(`["result",{"request_id":3},"fine"]`)
		ws.Silent()
	})
}

func TestCallValidation(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, _ := c.connect("ann")
	for _, method := range []string{"", "tangle.a", "swindon.authorize_connection", "swindon.", "a/b", "a b", "a*", "ü", "a>"} {
		ws.SendText(fmt.Sprintf(`[%q,{"request_id":1,"k":2},[],{}]`, method))
		ws.Want(`["error",{"request_id":1,"k":2,"error_kind":"validation_error"},"invalid method"]`)
	}
	for _, meta := range []string{
		`{}`, `{"request_id":null}`, `{"request_id":true}`, `{"request_id":[]}`, `{"request_id":{}}`, `{"request_id":1.0}`, `{"request_id":1.1}`,
		`{"request_id":-1}`, `{"request_id":1e3}`, `{"request_id":""}`, `{"request_id":"` + strings.Repeat("x", 37) + `"}`, `{"request_id":"a b"}`,
		`{"request_id":"ü"}`, `{"request_id":18446744073709551616}`, `{"other":1}`,
	} {
		ws.SendText(`["a",` + meta + `,[],{}]`)
		want := strings.TrimSuffix(meta, "}")
		if want != "{" {
			want += ","
		}
		ws.Want(`["error",` + want + `"error_kind":"validation_error"},"invalid request id"]`)
	}
	ws.SendText(`["tangle.a",{},[],{}]`) // the method is checked first
	ws.Want(`["error",{"error_kind":"validation_error"},"invalid method"]`)
	c.backend.None()
	for _, meta := range []string{
		`{"request_id":0}`, `{"request_id":18446744073709551615}`, `{"request_id":"` + strings.Repeat("x", 36) + `"}`,
		`{"request_id":1,"active":true}`, `{"request_id":1,"active":"5"}`, `{"request_id":1,"active":-3}`, `{"request_id":1,"active":2.5}`, `{"request_id":1,"active":0}`,
	} {
		ws.SendText(`["swindon",` + meta + `,[],{}]`)
		c.backend.Next().JSON(`1`)
		ws.Want(`["result",` + meta + `,1]`)
	}
	ws.Silent()
}

// Calls of one connection are made at the same time, and answered as they come.
func TestCallsAtTheSameTime(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, _ := c.connect("ann")
	const calls = 20
	byTarget := make(map[string]*testkit.Request)
	for i := range calls {
		ws.SendText(fmt.Sprintf(`["n%d",{"request_id":%d},[],{}]`, i, i))
	}
	for range calls {
		call := c.backend.Next()
		byTarget[call.Target] = call
	}
	for i := calls - 1; i >= 0; i-- {
		byTarget[fmt.Sprintf("/n%d", i)].JSON(fmt.Sprint(i))
		ws.Want(fmt.Sprintf(`["result",{"request_id":%d},%d]`, i, i))
	}
	ws.SendText(`["a",{"request_id":1},[],{}]`)
	ws.SendText(`["b",{"request_id":1},[],{}]`)
	for range 2 { // the same id twice: two replies
		call := c.backend.Next()
		call.JSON(`"` + call.Target + `"`)
	}
	first, second := ws.Text(), ws.Text()
	if first == second {
		t.Errorf("two calls with one id are answered twice with %s", first)
	}
}

func TestCallQueueFull(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, _ := c.connect("ann")
	ws.SendText(`["tiny.0",{"request_id":0},[],{}]`)
	first := c.backend.Next()
	for i := range 4 {
		ws.SendText(fmt.Sprintf(`["tiny.1",{"request_id":%d},[],{}]`, i+1))
	}
	for range 2 { // one or two wait, the others are refused at once
		if got := ws.Text(); !strings.Contains(got, `"error_kind":"internal_error"`) || !strings.HasSuffix(got, `,"too_many_requests"]`) {
			t.Errorf("the client got %s", got)
		}
	}
	c.backend.Handle(func(r *testkit.Request) { r.JSON(`1`) })
	first.JSON(`0`)
	for range 3 {
		ws.Text()
	}
	ws.Silent()
}

// A client that leaves takes its calls with it.
func TestClientLeavesDuringCall(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, _ := c.connect("ann")
	ws.SendText(`["a",{"request_id":1},[],{}]`)
	call := c.backend.Next()
	_ = ws.Close()
	call.AwaitGone()
	c.backend.None()
}
