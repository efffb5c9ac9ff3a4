package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What our parser accepts net/http accepts, and understands in the same way.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"HEAD /a/b;c?d=%zz HTTP/1.1\r\nhost: [::1]:80\r\nConnection: close\r\nPragma: no-cache\r\nA:\r\na: \t1 2\t\r\n\r\n",
		"GET /%61%2f?? HTTP/1.1\r\nHost: h\r\nconnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n",
		"POST //x#y HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\nX\x00: \xff\r\n\r\n",
		"GET /? HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\nUpgrade: y\r\n\r\n",
		"CONNECT /x HTTP/1.1\r\nHost: h\nHost: i\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		checkParse(t, in)
	})
}

// checkParse compares what the two parsers make of the first head.
func checkParse(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, in []byte,
) (plain bool) {
	t.Helper()
	n := headEnd(in, 0)
	if n == 0 || n > headRoom {
		return false
	}
	head := bytes.Clone(in[:n])
	got := &http.Request{}
	plain = new(request).parse(head, got)
	if !plain {
		return false
	}
	for i := range n { // what is plain could be so from its first byte on
		if !maybePlain(head[:i]) {
			t.Fatalf("%q is plain, but its first %d bytes are not", head, i)
		}
	}
	br := bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "rest"...)))
	want, err := http.ReadRequest(br)
	if err != nil {
		t.Fatalf("%q: net/http says %v", head, err)
	}
	if br.Buffered() != len("rest") {
		t.Fatalf("%q: net/http takes %d bytes less", head, br.Buffered()-len("rest"))
	}
	if n := strings.Count(strings.ToLower(string(head)), "\nhost:"); n != 1 {
		t.Fatalf("%q has %d Host fields", head, n)
	}
	if err := strict(want); err != "" {
		t.Fatalf("%q: %s", head, err)
	}
	if diff := differences(got, want); diff != "" {
		t.Fatalf("%q: %s", head, diff)
	}
	return true
}

// The same for heads made of pieces that are nearly right, of which more are plain than of a fuzzer's.
func TestParseAsNetHTTP(t *testing.T) {
	t.Parallel()
	count := 0
	rapid.Check(t, func(rt *rapid.T) {
		one := func(good, bad []string) string {
			if rapid.IntRange(0, 15).Draw(rt, "bad") == 7 {
				return rapid.SampledFrom(bad).Draw(rt, "piece")
			}
			return rapid.SampledFrom(good).Draw(rt, "piece")
		}
		end := []string{"\r\n"}
		head := one([]string{"GET", "HEAD", "get", "A!#$%&'*+-.^_`|~9"}, []string{"G(T", "", "CONNECT", " GET"}) + one([]string{" "}, []string{"  ", "\t"})
		head += rapid.StringMatching(`/([a-zA-Z0-9$&+,/:;=@~._-]|%2f|[?#!'()*<>"{}|\\^]){0,12}`).Draw(rt, "target") +
			one([]string{"", "?"}, []string{"%", "\x7f", "\xff", " "})
		head += one([]string{" HTTP/1.1"}, []string{" HTTP/1.0", " HTTP/1.1 ", "  HTTP/1.1", " http/1.1"}) + one(end, []string{"\n"})
		for range rapid.IntRange(0, 5).Draw(rt, "fields") {
			head += one([]string{"Connection", "Pragma", "Cache-Control", "A", "a", "x-Y-z", "TE", "Cookie", "A_b"},
				[]string{"hOsT", "Content-Length", "Transfer-Encoding", "Trailer", "Upgrade", "Expect", "A b", "", "A\xff", " A", "Content-Length "})
			head += one([]string{":", ": "}, []string{" : ", ""})
			head += one([]string{"h", "", "close", "keep-alive", "Close", "no-cache", "a\tb", " a ", "\xff"},
				[]string{"x, close", "0", "chunked", "\x00", "a\rb", "h i"})
			head += one(end, []string{"\n", "\r\n ", "\r"})
		}
		head += one([]string{"Host: h\r\n", "hOST:[::1]:80\r\n", "Host: \t\r\n"}, []string{"", "Host: u@h\r\n", "Host: h i\r\n", "Host : h\r\n"})
		if checkParse(rt, []byte(head+"\r\n")) {
			count++
		}
	})
	t.Log(count, "heads were plain")
	if count == 0 {
		t.Error("no head was plain")
	}
}

// strict repeats what net/http's server checks after ReadRequest, by other means.
func strict(r *http.Request) string {
	if strings.ContainsFunc(r.Host, func(c rune) bool {
		return !strings.ContainsRune("!$%&()*+,-.:;=[]'_~", c) && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}) {
		return "its Host is none"
	}
	for name, values := range r.Header {
		if strings.ContainsAny(name, "()<>@,;:\\\"/[]?={} \t") || name == "" {
			return "a name is no token"
		}
		for _, v := range values {
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return "a value has control characters"
			}
		}
	}
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 || r.Body != http.NoBody || r.Trailer != nil {
		return "it has a body"
	}
	for _, name := range []string{"Upgrade", "Expect", "Content-Length", "Transfer-Encoding"} {
		if r.Header[name] != nil {
			return "it has a field " + name
		}
	}
	return ""
}

// differences are those between two requests.
func differences(got, want *http.Request) string {
	for name, pair := range map[string][2]any{
		"method": {got.Method, want.Method}, "target": {got.RequestURI, want.RequestURI}, "URL": {*got.URL, *want.URL}, "host": {got.Host, want.Host},
		"version": {got.Proto, want.Proto}, "major": {got.ProtoMajor, want.ProtoMajor}, "minor": {got.ProtoMinor, want.ProtoMinor},
		"close": {got.Close, want.Close}, "length": {got.ContentLength, want.ContentLength}, "header": {got.Header, want.Header},
		"body": {got.Body, want.Body}, "trailer": {got.Trailer, want.Trailer},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			return fmt.Sprintf("%s is %#v, with net/http %#v", name, pair[0], pair[1])
		}
	}
	return ""
}

// The heads that browsers and wrk send are plain, so that the speed is there for them.
func TestUsualHeadsArePlain(t *testing.T) {
	t.Parallel()
	for _, head := range []string{
		"GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:7801\r\n\r\n",
		"GET /chat/app.js?v=1&x=%2F HTTP/1.1\r\nHost: localhost:8080\r\nConnection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"156\"\r\n" +
			"sec-ch-ua-mobile: ?0\r\nUpgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,*/*;q=0.8\r\n" +
			"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: a=b; c=\"d\"\r\nIf-None-Match: W/\"x\"\r\n\r\n",
		"HEAD / HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n",
		"OPTIONS /api HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\nAccess-Control-Request-Method: POST\r\n\r\n",
		"DELETE /api/1 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /a(b)'c!d*e HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		if !new(request).parse([]byte(head), &http.Request{}) {
			t.Errorf("not plain: %q", head)
		}
	}
}

// A request costs as little memory as is promised in ADR 15.
func TestAllocationsOfParse(t *testing.T) {
	head := []byte("GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:7801\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n")
	if n := testing.AllocsPerRun(200, func() {
		if !new(request).parse(head, new(http.Request)) {
			t.Fatal("not plain")
		}
	}); n > 5 {
		t.Errorf("%v allocations, want 5 at most", n)
	}
}

func TestHeadEnd(t *testing.T) {
	t.Parallel()
	const head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	for i := range len(head) {
		if n := headEnd([]byte(head[:i]), 0); n != 0 {
			t.Errorf("%q has a head of %d", head[:i], n)
		}
		if n := headEnd([]byte(head+"GET"), i); n != len(head) {
			t.Errorf("after %d bytes looked at: %d", i, n)
		}
	}
}
