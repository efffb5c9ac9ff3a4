package http1_test

import (
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"
)

// describe answers with all that a handler can see of a request.
func describe(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var fields []string
	for name, values := range r.Header {
		fields = append(fields, fmt.Sprintf("%s=%q", name, values))
	}
	sort.Strings(fields)
	fmt.Fprintf(w, "%s %s %s %d.%d\nhost %q close %v length %d te %v\nurl %+v\n%s\nbody %q %v trailer %v\n", r.Method, r.RequestURI, r.Proto,
		r.ProtoMajor, r.ProtoMinor, r.Host, r.Close, r.ContentLength, r.TransferEncoding, *r.URL, strings.Join(fields, "\n"), body, err, r.Trailer)
}

// messages are requests, good and bad, by the sections of RFC 9112 (and 9110 where it says so). \n stands for CR LF,
// \l for a line feed alone, \r for a carriage return alone.
var messages = map[string]string{
	"2.1 plain":                          "GET / HTTP/1.1\nHost: h\n\n",
	"2.1 two on a connection":            "GET /1 HTTP/1.1\nHost: h\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"2.1 plain, then with a body":        "GET /1 HTTP/1.1\nHost: h\n\nPOST /2 HTTP/1.1\nHost: h\nContent-Length: 5\n\nhelloGET /3 HTTP/1.1\nHost: h\n\n",
	"2.1 body, then plain":               "POST /2 HTTP/1.1\nHost: h\nContent-Length: 5\n\nhelloGET /3 HTTP/1.1\nHost: h\n\n",
	"2.2 empty lines before":             "\n\nGET / HTTP/1.1\nHost: h\n\n",
	"2.2 line feeds alone":               `GET / HTTP/1.1\lHost: h\l\l`,
	"2.2 line feed in the request line":  `GET / HTTP/1.1\lHost: h\n\n`,
	"2.2 line feed after a field":        `GET / HTTP/1.1\nHost: h\lA: b\n\n`,
	"2.2 line feed for the empty line":   `GET / HTTP/1.1\nHost: h\n\l`,
	"2.2 bare CR in a field":             `GET / HTTP/1.1\nHost: h\nA: b\rc\n\n`,
	"2.2 bare CR in the request line":    `GET /\r HTTP/1.1\nHost: h\n\n`,
	"2.2 bare CR as line end":            `GET / HTTP/1.1\rHost: h\r\r`,
	"2.2 space before the first field":   "GET / HTTP/1.1\n Host: h\nHost: h\n\n",
	"2.2 no request":                     "GARBAGE\n\n",
	"2.2 only lines":                     "\n\n\n",
	"2.2 nothing":                        "",
	"2.3 HTTP/1.0":                       "GET / HTTP/1.0\nHost: h\n\n",
	"2.3 HTTP/1.0 kept":                  "GET / HTTP/1.0\nHost: h\nConnection: keep-alive\n\nGET /2 HTTP/1.0\nHost: h\n\n",
	"2.3 HTTP/1.2":                       "GET / HTTP/1.2\nHost: h\n\n",
	"2.3 HTTP/2.0":                       "GET / HTTP/2.0\nHost: h\n\n",
	"2.3 HTTP/0.9":                       "GET /\n\n",
	"2.3 HTTP/01.1":                      "GET / HTTP/01.1\nHost: h\n\n",
	"2.3 lower case":                     "GET / http/1.1\nHost: h\n\n",
	"2.3 preface of HTTP/2":              "PRI * HTTP/2.0\n\nSM\n\n",
	"3 two spaces":                       "GET  / HTTP/1.1\nHost: h\n\n",
	"3 two spaces before the version":    "GET /  HTTP/1.1\nHost: h\n\n",
	"3 tab":                              "GET\t/ HTTP/1.1\nHost: h\n\n",
	"3 space at the end":                 "GET / HTTP/1.1 \nHost: h\n\n",
	"3 space in the target":              "GET /a b HTTP/1.1\nHost: h\n\n",
	"3 version in the target":            "GET / HTTP/1.1 HTTP/1.1\nHost: h\n\n",
	"3.1 unknown method":                 "FROB / HTTP/1.1\nHost: h\n\n",
	"3.1 method in lower case":           "get / HTTP/1.1\nHost: h\n\n",
	"3.1 no token":                       "G(T / HTTP/1.1\nHost: h\n\n",
	"3.1 POST without a body":            "POST / HTTP/1.1\nHost: h\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"3.1 POST, empty line, GET":          "POST / HTTP/1.1\nHost: h\nContent-Length: 1\n\nx\nGET /2 HTTP/1.1\nHost: h\n\n",
	"3.1 HEAD":                           "HEAD / HTTP/1.1\nHost: h\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"3.2 query":                          "GET /a/b;c=1?d=/e?f&%zz HTTP/1.1\nHost: h\n\n",
	"3.2 empty query":                    "GET /a? HTTP/1.1\nHost: h\n\n",
	"3.2 two question marks":             "GET /a?? HTTP/1.1\nHost: h\n\n",
	"3.2 escapes":                        "GET /%61%2fb%20 HTTP/1.1\nHost: h\n\n",
	"3.2 bad escape":                     "GET /100% HTTP/1.1\nHost: h\n\n",
	"3.2 special bytes":                  "GET /a!'()*[]\"<>{}|^`\\ HTTP/1.1\nHost: h\n\n",
	"3.2 fragment":                       "GET /a#b?c HTTP/1.1\nHost: h\n\n",
	"3.2 two slashes":                    "GET //a//b/../. HTTP/1.1\nHost: h\n\n",
	"3.2 not ASCII":                      "GET /\xc3\xa9 HTTP/1.1\nHost: h\n\n",
	"3.2 NUL":                            "GET /\x00 HTTP/1.1\nHost: h\n\n",
	"3.2 NUL in the query":               "GET /?\x00 HTTP/1.1\nHost: h\n\n",
	"3.2.2 absolute":                     "GET http://other/x?y HTTP/1.1\nHost: h\n\n",
	"3.2.3 authority":                    "CONNECT h:80 HTTP/1.1\nHost: h\n\n",
	"3.2.3 CONNECT with a path":          "CONNECT /x HTTP/1.1\nHost: h\n\n",
	"3.2.4 asterisk":                     "OPTIONS * HTTP/1.1\nHost: h\n\n",
	"3.2 no host":                        "GET / HTTP/1.1\nA: b\n\n",
	"3.2 no field at all":                "GET / HTTP/1.1\n\n",
	"3.2 two hosts":                      "GET / HTTP/1.1\nHost: h\nHost: h\n\n",
	"3.2 empty host":                     "GET / HTTP/1.1\nHost:\n\n",
	"3.2 host with port":                 "GET / HTTP/1.1\nHost: [::1]:80\n\n",
	"3.2 host with user":                 "GET / HTTP/1.1\nHost: u@h\n\n",
	"3.2 host with space":                "GET / HTTP/1.1\nHost: h i\n\n",
	"3.2 host list":                      "GET / HTTP/1.1\nHost: h,i\n\n",
	"5 odd spelling":                     "GET / HTTP/1.1\nhOST: h\nx-a-B: c\n\n",
	"5 no colon":                         "GET / HTTP/1.1\nHost: h\nbad\n\n",
	"5 no name":                          "GET / HTTP/1.1\nHost: h\n: x\n\n",
	"5 empty value":                      "GET / HTTP/1.1\nHost: h\nA:\nB: \n\n",
	"5 repeated":                         "GET / HTTP/1.1\nHost: h\nA: 1\nB: x\na: 2\nA: 3\n\n",
	"5 many fields":                      "GET / HTTP/1.1\nHost: h\n" + strings.Repeat("A: 1\nB: 2\n", 40) + "\n",
	"5.1 space before the colon":         "GET / HTTP/1.1\nHost : h\n\n",
	"5.1 space in the name":              "GET / HTTP/1.1\nHost: h\nA b: c\n\n",
	"5.1 spaces around the value":        "GET / HTTP/1.1\nHost: \t h \t\nA:\t b  c \t\n\n",
	"5.1 tab and high bytes":             "GET / HTTP/1.1\nHost: h\nA: b\tc\xff\x80\n\n",
	"5.1 NUL in a value":                 "GET / HTTP/1.1\nHost: h\nA: b\x00\n\n",
	"5.1 DEL in a value":                 "GET / HTTP/1.1\nHost: h\nA: b\x7f\n\n",
	"5.2 folded":                         "GET / HTTP/1.1\nHost: h\nA: b\n c\n\n",
	"5.2 folded framing":                 "GET / HTTP/1.1\nHost: h\nTransfer-Encoding:\n chunked\n\n0\n\n",
	"6.1 chunked":                        "POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"6.1 chunked GET":                    "GET / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"6.1 unknown coding":                 "GET / HTTP/1.1\nHost: h\nTransfer-Encoding: gzip\n\n",
	"6.1 two codings":                    "GET / HTTP/1.1\nHost: h\nTransfer-Encoding: gzip, chunked\n\n0\n\n",
	"6.1 odd coding":                     "GET / HTTP/1.1\nHost: h\nTransfer-Encoding: xchunked\n\n0\n\n",
	"6.1 length and coding":              "POST / HTTP/1.1\nHost: h\nContent-Length: 4\nTransfer-Encoding: chunked\n\n0\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"6.1 coding with a space":            "POST / HTTP/1.1\nHost: h\nTransfer-Encoding : chunked\n\n0\n\n",
	"6.1 coding in HTTP/1.0":             "POST / HTTP/1.0\nHost: h\nTransfer-Encoding: chunked\n\n0\n\n",
	"6.2 length of a GET":                "GET / HTTP/1.1\nHost: h\nContent-Length: 5\n\nhelloGET /2 HTTP/1.1\nHost: h\n\n",
	"6.2 length zero":                    "GET / HTTP/1.1\nHost: h\nContent-Length: 0\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"6.2 two lengths":                    "POST / HTTP/1.1\nHost: h\nContent-Length: 1\nContent-Length: 2\n\nab",
	"6.2 the same length twice":          "POST / HTTP/1.1\nHost: h\nContent-Length: 1\nContent-Length: 1\n\na",
	"6.2 list of lengths":                "POST / HTTP/1.1\nHost: h\nContent-Length: 1, 1\n\na",
	"6.2 signed length":                  "POST / HTTP/1.1\nHost: h\nContent-Length: +1\n\na",
	"6.2 negative length":                "POST / HTTP/1.1\nHost: h\nContent-Length: -1\n\na",
	"6.2 no number":                      "POST / HTTP/1.1\nHost: h\nContent-Length: x\n\n",
	"6.3 body cut":                       "POST / HTTP/1.1\nHost: h\nContent-Length: 10\n\nhello",
	"7.1 bad chunk":                      "POST / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\nz\n\n",
	"7.1.2 trailers":                     "POST / HTTP/1.1\nHost: h\nTrailer: A\nTransfer-Encoding: chunked\n\n1\nx\n0\nA: b\n\n",
	"7.1.2 trailer announced for a GET":  "GET / HTTP/1.1\nHost: h\nTrailer: A\n\n",
	"7.4 TE":                             "GET / HTTP/1.1\nHost: h\nTE: trailers\nConnection: TE\n\n",
	"8 head cut":                         "GET / HTTP/1.1\nHost: h\nA: b",
	"8 request line cut":                 "GET / HT",
	"9.3 close":                          "GET / HTTP/1.1\nHost: h\nConnection: close\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"9.3 close in capitals":              "GET / HTTP/1.1\nHost: h\nConnection: CLOSE\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"9.3 close in a list":                "GET / HTTP/1.1\nHost: h\nConnection: x, close\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"9.3 close in a second field":        "GET / HTTP/1.1\nHost: h\nConnection: keep-alive\nConnection: close\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"9.3 keep-alive":                     "GET / HTTP/1.1\nHost: h\nConnection: Keep-Alive\n\nGET /2 HTTP/1.1\nHost: h\n\n",
	"9.3 other option":                   "GET / HTTP/1.1\nHost: h\nConnection: A\nA: b\n\n",
	"9.8 upgrade without connection":     "GET / HTTP/1.1\nHost: h\nUpgrade: x\n\n",
	"9.8 upgrade":                        "GET / HTTP/1.1\nHost: h\nConnection: Upgrade\nUpgrade: x\n\n",
	"9.8 upgrade to HTTP/2":              "GET / HTTP/1.1\nHost: h\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: x\n\n",
	"RFC 9110 10.1.1 expect":             "POST / HTTP/1.1\nHost: h\nContent-Length: 5\nExpect: 100-continue\n\nhello",
	"RFC 9110 10.1.1 expect of a GET":    "GET / HTTP/1.1\nHost: h\nExpect: 100-continue\n\n",
	"RFC 9110 10.1.1 unknown expect":     "GET / HTTP/1.1\nHost: h\nExpect: x\n\n",
	"RFC 9111 5.4 pragma":                "GET / HTTP/1.1\nHost: h\nPragma: no-cache\n\n",
	"RFC 9111 5.4 pragma, cache-control": "GET / HTTP/1.1\nHost: h\nPragma: no-cache\nCache-Control: max-age=0\n\n",
	"long, but plain":                    "GET / HTTP/1.1\nHost: h\nA: " + strings.Repeat("a", 4050) + "\n\n",
	"too long to be plain":               "GET / HTTP/1.1\nHost: h\nA: " + strings.Repeat("a", 5000) + "\n\n",
	"exactly the room":                   "GET / HTTP/1.1\nHost: h\nA: " + strings.Repeat("a", 4096-len("GET / HTTP/1.1\r\nHost: h\r\nA: \r\n\r\n")) + "\n\n",
	"one more than the room":             "GET / HTTP/1.1\nHost: h\nA: " + strings.Repeat("a", 4097-len("GET / HTTP/1.1\r\nHost: h\r\nA: \r\n\r\n")) + "\n\n",
	"too long for anybody":               "GET / HTTP/1.1\nHost: h\nA: " + strings.Repeat("a", 80<<10) + "\n\n",
}

// wire makes the bytes of a message.
func wire(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\n", "\r\n"), `\n`, "\r\n")
	return strings.ReplaceAll(strings.ReplaceAll(s, `\l`, "\n"), `\r`, "\r")
}

// Whatever is sent is answered as net/http alone would, however it comes.
func TestMessages(t *testing.T) {
	t.Parallel()
	ours, theirs := start(t, true, limits, describe), start(t, false, limits, describe)
	for name, text := range messages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := wire(text)
			want := normal(theirs.exchange(t, request, ""))
			cuts := []int{0}
			for i := 1; i < len(request) && len(request) < 200; i++ {
				cuts = append(cuts, i)
			}
			for _, cut := range append(cuts, len(request)/2) {
				got := normal(ours.exchange(t, request[:cut], request[cut:]))
				if got != want {
					t.Errorf("%.300q in parts of %d and %d\n got %.600q\nwant %.600q", request, cut, len(request)-cut, got, want)
				}
			}
		})
	}
}
