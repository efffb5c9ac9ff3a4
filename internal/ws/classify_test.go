package ws

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/web"
)

// handshake is a correct handshake request.
func handshake() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/ws", nil)
	r.Header = http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-Websocket-Version": {"13"},
	}
	return r
}

func TestClassify(t *testing.T) {
	t.Parallel()
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) {
			delete(r.Header, name)
			if len(values) > 0 {
				r.Header[name] = values
			}
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		want   Kind
	}{
		{"correct", func(*http.Request) {}, Websocket},
		{"list of Firefox", set("Connection", "keep-alive, Upgrade"), Websocket},
		{"second line", set("Connection", "keep-alive", "UPGRADE"), Websocket},
		{"upgrade in capitals", set("Upgrade", "WebSocket"), Websocket},
		{"any origin", set("Origin", "https://elsewhere.example"), Websocket},
		{"subprotocols", set("Sec-Websocket-Protocol", "a, b"), Websocket},
		{"extensions", set("Sec-Websocket-Extensions", "permessage-deflate"), Websocket},
		{"empty body announced", set("Content-Length", "0"), Websocket},
		{"no connection header", set("Connection"), Plain},
		{"keep-alive only", set("Connection", "keep-alive"), Plain},
		{"token as part of a word", set("Connection", "upgrades"), Plain},
		{"another upgrade", set("Upgrade", "h2c"), Plain},
		{"empty upgrade", set("Upgrade", ""), Plain},
		{"one of two upgrades", set("Upgrade", "websocket", "h2c"), Plain},
		{"other upgrade and no key", func(r *http.Request) {
			set("Upgrade", "h2c")(r)
			set("Sec-Websocket-Key")(r)
		}, Plain},
		{"no upgrade header", set("Upgrade"), Bad},
		{"no key", set("Sec-Websocket-Key"), Bad},
		{"empty key", set("Sec-Websocket-Key", ""), Bad},
		{"two keys", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="), Bad},
		{"key of 15 bytes", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25j"), Bad},
		{"key of 17 bytes", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZWU="), Bad},
		{"key without padding", set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), Bad},
		{"no version", set("Sec-Websocket-Version"), Bad},
		{"version 8", set("Sec-Websocket-Version", "8"), Bad},
		{"two versions", set("Sec-Websocket-Version", "13", "8"), Bad},
		{"a body", func(r *http.Request) { r.ContentLength = 3 }, Bad},
		{"a chunked body", func(r *http.Request) {
			r.ContentLength = -1
			r.TransferEncoding = []string{"chunked"}
		}, Bad},
		{"protocol not UTF-8", set("Sec-Websocket-Protocol", "a\xff"), Bad},
		{"extension not UTF-8", set("Sec-Websocket-Extensions", "\xc0\x80"), Bad},
		{"POST", func(r *http.Request) { r.Method = http.MethodPost }, Bad},
		{"HTTP/1.0", func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0 }, Bad},
		{"HTTP/2", func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0 }, Bad},
		{"no path", func(r *http.Request) { r.URL.Path = "" }, Bad},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := handshake()
			tc.change(r)
			if got := Classify(r); got != tc.want {
				t.Errorf("Classify = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestClassifyForm(t *testing.T) {
	t.Parallel()
	for form, want := range map[web.Form]Kind{
		web.FormOrigin: Websocket, web.FormAbsolute: Websocket, web.FormAsterisk: Bad, web.FormAuthority: Bad,
	} {
		r := handshake()
		r = r.WithContext(web.WithRecord(r.Context(), &web.Record{Form: form}))
		if got := Classify(r); got != want {
			t.Errorf("form %v: Classify = %v, want %v", form, got, want)
		}
	}
}

func TestOffered(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		lines, want []string
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{" , ,"}, nil},
		{[]string{"v1.swindon-lattice+json"}, []string{"v1.swindon-lattice+json"}},
		{[]string{"a , b", "c,,d"}, []string{"a", "b", "c", "d"}},
	} {
		r := handshake()
		r.Header["Sec-Websocket-Protocol"] = tc.lines
		if diff := cmp.Diff(tc.want, Offered(r)); diff != "" {
			t.Errorf("%q: %s", tc.lines, diff)
		}
	}
}
