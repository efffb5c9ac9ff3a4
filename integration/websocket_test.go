package integration

import (
	"encoding/binary"
	"net/http"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// handshakes are the requests that are no websocket, or a bad one (protocol §1.1). The status is that of the echo handler,
// which serves nothing else; "plain" requests go to the http-route where there is one.
var handshakes = map[string]struct {
	headers []string
	plain   bool
}{
	"no-connection":    {[]string{"Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}, true},
	"keep-alive":       {[]string{"Connection: keep-alive", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}, true},
	"other-upgrade":    {[]string{"Connection: upgrade", "Upgrade: h2c", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}, true},
	"no-upgrade":       {[]string{"Connection: upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}, false},
	"no-key":           {[]string{"Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"}, false},
	"two-keys":         {[]string{"Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}, false},
	"short-key":        {[]string{"Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: c2hvcnQ=", "Sec-WebSocket-Version: 13"}, false},
	"no-version":       {[]string{"Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, false},
	"version-8":        {[]string{"Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 8"}, false},
	"with-body":        {[]string{"Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Content-Length: 1"}, false},
	"protocol-no-utf8": {[]string{"Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: \xff"}, false},
}

func TestHandshakeRefused(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	for name, test := range handshakes {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"/ws", "/echo", "/both"} {
				request := testkit.HTTP("GET", target, "", append([]string{}, test.headers...)...)
				if name == "with-body" {
					request += "x"
				}
				r := testkit.Do(t, c.Addr("HTTP"), request)
				switch {
				case !test.plain:
					wantPage(t, r, "400 Bad Request")
				case target == "/both":
					if r.Status != 200 || r.Get("Content-Type") != "image/gif" {
						t.Errorf("a plain request with an http-route is answered\n%s", r.Head)
					}
				default:
					wantPage(t, r, "404 Not Found")
				}
			}
		})
	}
	c.backend.None()
}

func TestHandshakeSubprotocol(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	for name, test := range map[string]struct {
		target, offer, chosen string
		status                int
	}{
		"lattice":         {"/ws", testkit.Subprotocol, testkit.Subprotocol, 101},
		"in-a-list":       {"/ws", "a, " + testkit.Subprotocol + " ,b", testkit.Subprotocol, 101},
		"on-another-line": {"/ws", "a\r\nSec-WebSocket-Protocol: " + testkit.Subprotocol, testkit.Subprotocol, 101},
		"unknown":         {"/ws", "v2.other+json", "", 101},
		"other-case":      {"/ws", strings.ToUpper(testkit.Subprotocol), "", 101},
		"none":            {"/ws", "", "", 400},
		"old-none":        {"/old", "", "", 101},
		"old-lattice":     {"/old", testkit.Subprotocol, testkit.Subprotocol, 101},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if test.offer != "" {
				headers = append(headers, "Sec-WebSocket-Protocol: "+test.offer)
			}
			client := testkit.Dial(t, c.Addr("HTTP"))
			client.Send(testkit.Handshake(test.target, headers...))
			if test.status == 101 {
				c.backend.Next().JSON(`{"user_id":"ann"}`)
			}
			r := client.Response("GET")
			if r.Status != test.status {
				t.Fatalf("answered\n%s", r.Head)
			}
			if test.status != 101 {
				wantPage(t, r, "400 Bad Request")
				return
			}
			if got := r.Get("Sec-WebSocket-Protocol"); got != test.chosen {
				t.Errorf("chosen %q, want %q", got, test.chosen)
			}
			if !strings.EqualFold(r.Get("Connection"), "upgrade") || !strings.EqualFold(r.Get("Upgrade"), "websocket") ||
				r.Get("Sec-WebSocket-Accept") != testkit.Accepted || r.Get("Sec-WebSocket-Extensions") != "" || r.Get("Server") == "" || r.Get("Date") == "" {
				t.Errorf("the 101 is\n%s", r.Head)
			}
		})
	}
	c.backend.None()
}

// Nothing is written to the client before the backend has decided, and what the client sends meanwhile is kept.
func TestHandshakeWaitsForAuthorization(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, auth, _ := c.open("/ws")
	ws.SendText(`["early",{"request_id":1},[],{}]`)
	ws.Silent()
	c.backend.None()
	auth.JSON(`{"user_id":"ann"}`)
	ws.Shake()
	ws.Want(`["hello",{},{"user_id":"ann"}]`)
	call := c.backend.Next()
	if call.Target != "/early" {
		t.Errorf("the call before the 101 became\n%s", call.Head)
	}
	call.JSON(`1`)
	ws.Want(`["result",{"request_id":1},1]`)
}

func TestFrames(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	call := `["a",{"request_id":1},[],{}]`
	for name, test := range map[string]struct {
		frame string
		code  int
	}{
		"binary":          {frame(true, testkit.OpBinary, call), 1003},
		"not-utf8":        {frame(true, testkit.OpText, "[\"\xff\"]"), 1007},
		"not-json":        {frame(true, testkit.OpText, `["a",`), 1007},
		"too-deep":        {frame(true, testkit.OpText, strings.Repeat("[", 200)+strings.Repeat("]", 200)), 1007},
		"no-array":        {frame(true, testkit.OpText, `{"a":1}`), 1008},
		"three-elements":  {frame(true, testkit.OpText, `["a",{"request_id":1},[]]`), 1008},
		"five-elements":   {frame(true, testkit.OpText, `["a",{"request_id":1},[],{},1]`), 1008},
		"method-number":   {frame(true, testkit.OpText, `[1,{"request_id":1},[],{}]`), 1008},
		"meta-list":       {frame(true, testkit.OpText, `["a",[],[],{}]`), 1008},
		"args-object":     {frame(true, testkit.OpText, `["a",{"request_id":1},{},{}]`), 1008},
		"kwargs-null":     {frame(true, testkit.OpText, `["a",{"request_id":1},[],null]`), 1008},
		"unmasked":        {frame(false, testkit.OpText, call), 1002},
		"unknown-opcode":  {frame(true, 3, call), 1002},
		"reserved-bit":    {"\xc1" + frame(true, testkit.OpText, call)[1:], 1002},
		"too-large":       {"\x81\xff\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00", 1009},
		"client-closes":   {frame(true, testkit.OpClose, "\x0f\xa0bye"), 4000},
		"lone-fragment":   {frame(true, 0, call), 1002},
		"fragmented-ping": {"\x09" + frame(true, testkit.OpPing, "x")[1:], 1002},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ws := connectAny(t, c)
			ws.Send(test.frame)
			opcode, payload := ws.Frame()
			if opcode != testkit.OpClose || len(payload) < 2 {
				t.Fatalf("answered with opcode %d, %q", opcode, payload)
			}
			if got := int(binary.BigEndian.Uint16([]byte(payload))); got != test.code {
				t.Errorf("closed with %d %q, want %d", got, payload[2:], test.code)
			}
			if test.code != 4000 {
				_, _ = ws.Write([]byte(frame(true, testkit.OpClose, payload[:2])))
			}
			ws.Closed()
		})
	}
}

// connectAny is connect for tests that run at the same time: the backend answers by itself.
func connectAny(t *testing.T, c *chat) *testkit.Websocket {
	t.Helper()
	c.backend.Handle(func(r *testkit.Request) { r.JSON(`{"user_id":"ann"}`) })
	ws := testkit.Open(t, c.Addr("HTTP"), "/ws").Shake()
	ws.Want(`["hello",{},{"user_id":"ann"}]`)
	return ws
}

func TestControlFrames(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, _ := c.connect("ann")
	ws.SendFrame(testkit.OpPing, "payload")
	if opcode, payload := ws.Frame(); opcode != testkit.OpPong || payload != "payload" {
		t.Errorf("a ping is answered with opcode %d, %q", opcode, payload)
	}
	ws.SendFrame(testkit.OpPong, "unasked")
	ws.Silent()
	// A fragmented message, with a ping between the fragments.
	whole := `["frag",{"request_id":7},[],{}]`
	first, rest := frame(true, testkit.OpText, whole[:5]), frame(true, 0, whole[5:])
	ws.Send("\x01" + first[1:])
	ws.SendFrame(testkit.OpPing, "x")
	ws.Send(rest)
	if opcode, payload := ws.Frame(); opcode != testkit.OpPong || payload != "x" {
		t.Errorf("a ping between fragments is answered with opcode %d, %q", opcode, payload)
	}
	call := c.backend.Next()
	if call.Target != "/frag" {
		t.Errorf("the fragmented call became\n%s", call.Head)
	}
	call.JSON("1")
	ws.Want(`["result",{"request_id":7},1]`)
}

func TestWebsocketEcho(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	client := testkit.Dial(t, c.Addr("HTTP"))
	client.Send(testkit.Handshake("/echo", "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Extensions: permessage-deflate"))
	ws := &testkit.Websocket{Client: client}
	ws.Shake()
	if ws.Head.Get("Sec-WebSocket-Protocol") != "" || ws.Head.Get("Sec-WebSocket-Extensions") != "" || ws.Head.Get("Sec-WebSocket-Accept") != testkit.Accepted {
		t.Errorf("the 101 is\n%s", ws.Head.Head)
	}
	ws.Silent()
	for _, message := range []struct {
		opcode  int
		payload string
	}{
		{testkit.OpText, "text"},
		{testkit.OpBinary, "\x00\xff"},
		{testkit.OpText, `{"json": [1]}`},
		{testkit.OpText, ""},
		{testkit.OpBinary, strings.Repeat("x", 100_000)},
	} {
		ws.SendFrame(message.opcode, message.payload)
		if opcode, payload := ws.Frame(); opcode != message.opcode || payload != message.payload {
			t.Errorf("the echo of %d, %d bytes is %d, %d bytes", message.opcode, len(message.payload), opcode, len(payload))
		}
	}
	ws.SendFrame(testkit.OpPing, "p")
	if opcode, payload := ws.Frame(); opcode != testkit.OpPong || payload != "p" {
		t.Errorf("a ping is answered with opcode %d, %q", opcode, payload)
	}
	ws.Silent()
	gorilla := testkit.Gorilla(t, c.Addr("HTTP"), "/echo", http.Header{"Host": {"localhost"}})
	if err := gorilla.WriteMessage(testkit.OpText, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if kind, got, err := gorilla.ReadMessage(); err != nil || kind != testkit.OpText || string(got) != "hi" {
		t.Errorf("gorilla got %d %q, %v", kind, got, err)
	}
}

// frame makes a final frame of less than 64 KiB, masked with zeros or not at all.
func frame(masked bool, opcode int, payload string) string {
	head := []byte{0x80 | byte(opcode)}
	var bit byte
	if masked {
		bit = 0x80
	}
	if len(payload) < 126 {
		head = append(head, bit|byte(len(payload)))
	} else {
		head = append(head, bit|126)
		head = binary.BigEndian.AppendUint16(head, uint16(len(payload)))
	}
	if masked {
		head = append(head, 0, 0, 0, 0)
	}
	return string(head) + payload
}
