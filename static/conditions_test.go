package static

import (
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// conditionsFile is a handler with one file of ten bytes, last modified at a known time.
func conditionsFile(t *testing.T) (h http.Handler, etag string, at time.Time) {
	t.Helper()
	root := tree(t, map[string]string{"f.txt": "0123456789", "empty.txt": "", "old.txt": "x"})
	at = time.Date(2024, 2, 29, 12, 30, 15, 500_000_000, time.UTC)
	old := time.Unix(0, 0)
	if err := os.Chtimes(filepath.Join(root, "f.txt"), at, at); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(root, "old.txt"), old, old); err != nil {
		t.Fatal(err)
	}
	h = handler(root)
	return h, get(h, "/static/f.txt").Header.Get("Etag"), at
}

func TestConditions(t *testing.T) {
	t.Parallel()
	h, etag, at := conditionsFile(t)
	if !regexp.MustCompile(`^W/"[A-Za-z0-9_-]{16}"$`).MatchString(etag) {
		t.Errorf("ETag %q", etag)
	}
	const same, before, after = "Thu, 29 Feb 2024 12:30:15 GMT", "Thu, 29 Feb 2024 12:30:14 GMT", "Thu, 29 Feb 2024 12:30:16 GMT"
	strong := etag[2:]
	for _, c := range []struct {
		name   string
		header []string
		want   int
	}{
		{"our tag", []string{"If-None-Match", etag}, 304},
		{"as strong tag", []string{"If-None-Match", strong}, 304},
		{"star", []string{"If-None-Match", "*"}, 304},
		{"in a list", []string{"If-None-Match", `"x", W/"y,z" ,` + etag}, 304},
		{"in the second header", []string{"If-None-Match", `"x"`, "If-None-Match", etag}, 304},
		{"other tag", []string{"If-None-Match", `W/"0123456789abcdef"`}, 200},
		{"unquoted", []string{"If-None-Match", strong[1 : len(strong)-1]}, 200},
		{"unfinished", []string{"If-None-Match", etag[:len(etag)-1]}, 200},
		{"tag before date", []string{"If-None-Match", `"x"`, "If-Modified-Since", same}, 200},
		{"tag over date", []string{"If-None-Match", etag, "If-Modified-Since", before}, 304},
		{"same date", []string{"If-Modified-Since", same}, 304},
		{"later date", []string{"If-Modified-Since", after}, 304},
		{"earlier date", []string{"If-Modified-Since", before}, 200},
		{"other form of date", []string{"If-Modified-Since", "Thursday, 29-Feb-24 12:30:15 GMT"}, 304},
		{"no date", []string{"If-Modified-Since", "yesterday"}, 200},
		{"two dates", []string{"If-Modified-Since", same, "If-Modified-Since", same}, 200},
		{"if-match star", []string{"If-Match", "*"}, 200},
		{"if-match weak tag", []string{"If-Match", etag}, 412},
		{"if-match other", []string{"If-Match", `"x"`}, 412},
		{"if-match star and none-match", []string{"If-Match", "*", "If-None-Match", etag}, 304},
		{"unmodified same", []string{"If-Unmodified-Since", same}, 200},
		{"unmodified after", []string{"If-Unmodified-Since", after}, 200},
		{"unmodified before", []string{"If-Unmodified-Since", before}, 412},
		{"unmodified garbage", []string{"If-Unmodified-Since", "x"}, 200},
		{"if-match over unmodified", []string{"If-Match", "*", "If-Unmodified-Since", before}, 200},
		{"412 over 416", []string{"If-Match", `"x"`, "Range", "bytes=50-"}, 412},
		{"304 over 206", []string{"If-None-Match", etag, "Range", "bytes=0-1"}, 304},
		{"304 over 416", []string{"If-None-Match", etag, "Range", "bytes=50-"}, 304},
		{"if-range date", []string{"If-Range", same, "Range", "bytes=0-1"}, 206},
		{"if-range later date", []string{"If-Range", after, "Range", "bytes=0-1"}, 200},
		{"if-range earlier date", []string{"If-Range", before, "Range", "bytes=0-1"}, 200},
		{"if-range weak tag", []string{"If-Range", etag, "Range", "bytes=0-1"}, 200},
		{"if-range strong tag", []string{"If-Range", strong, "Range", "bytes=0-1"}, 200},
		{"if-range makes 416 harmless", []string{"If-Range", `"x"`, "Range", "bytes=50-"}, 200},
		{"if-range without range", []string{"If-Range", `"x"`}, 200},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			hs := http.Header{}
			for i := 0; i < len(c.header); i += 2 {
				hs.Add(c.header[i], c.header[i+1])
			}
			r := do(h, method, "/static/f.txt", hs)
			if r.StatusCode != c.want {
				t.Errorf("%s, %s: %d, want %d", method, c.name, r.StatusCode, c.want)
			}
			if r.StatusCode != 304 {
				continue
			}
			wantHeader(t, r, "Etag", etag)
			wantHeader(t, r, "Last-Modified", at.Format(http.TimeFormat))
			wantHeader(t, r, "Vary", "Accept-Encoding")
			wantHeader(t, r, "Content-Length", "")
			wantHeader(t, r, "Content-Type", "")
			if b := body(t, r); b != "" {
				t.Errorf("%s: body %q", c.name, b)
			}
		}
	}
}

func TestTagFollowsFile(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"f.txt": "one", "g.txt": "one"})
	h := handler(root)
	first := get(h, "/static/f.txt").Header.Get("Etag")
	if again := get(h, "/static/f.txt").Header.Get("Etag"); again != first {
		t.Errorf("ETag changes from %s to %s", first, again)
	}
	if other := get(h, "/static/g.txt").Header.Get("Etag"); other == first {
		t.Error("two files share a tag")
	}
	if err := os.WriteFile(filepath.Join(root, "f.txt"), []byte("three"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, get(h, "/static/f.txt", "If-None-Match", first), 200)
}

func TestNoModificationTime(t *testing.T) {
	t.Parallel()
	h, _, _ := conditionsFile(t)
	r := get(h, "/static/old.txt", "If-Modified-Since", "Thu, 29 Feb 2024 12:30:15 GMT", "If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")
	wantStatus(t, r, 200)
	wantHeader(t, r, "Last-Modified", "")
	if r.Header.Get("Etag") == "" {
		t.Error("no ETag")
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	h, _, _ := conditionsFile(t)
	for _, c := range []struct {
		file, header string
		status       int
		contentRange string
		body         string
	}{
		{"f.txt", "bytes=2-4", 206, "bytes 2-4/10", "234"},
		{"f.txt", "bytes=7-", 206, "bytes 7-9/10", "789"},
		{"f.txt", "bytes=7-99", 206, "bytes 7-9/10", "789"},
		{"f.txt", "bytes=-2", 206, "bytes 8-9/10", "89"},
		{"f.txt", "bytes=-99", 206, "bytes 0-9/10", "0123456789"},
		{"f.txt", "bytes=0-1,2-3,3-5", 206, "bytes 0-5/10", "012345"},
		{"f.txt", "bytes=0-8,2-3", 206, "bytes 0-8/10", "012345678"},
		{"f.txt", "lines=1-2", 200, "", "0123456789"},
		{"f.txt", "bytes=10-", 416, "bytes */10", ""},
		{"f.txt", "bytes=-0", 416, "bytes */10", ""},
		{"f.txt", "bytes=4-2", 416, "", ""},
		{"f.txt", "bytes=-", 416, "", ""},
		{"f.txt", "bytes=x", 416, "", ""},
		{"none.txt", "bytes=x", 416, "", ""},
		{"none.txt", "bytes=0-1", 404, "", ""},
		{"empty.txt", "bytes=-5", 206, "bytes */0", ""},
		{"empty.txt", "bytes=0-", 416, "bytes */0", ""},
	} {
		r := get(h, "/static/"+c.file, "Range", c.header)
		wantStatus(t, r, c.status)
		wantHeader(t, r, "Content-Range", c.contentRange)
		if b := body(t, r); c.status < 300 && b != c.body {
			t.Errorf("%s: body %q, want %q", c.header, b, c.body)
		}
		if c.status == 206 {
			wantHeader(t, r, "Accept-Ranges", "bytes")
			wantHeader(t, r, "Content-Type", "text/plain; charset=utf-8")
		}
	}
	wantStatus(t, get(h, "/static/f.txt", "Range", "bytes=0-1", "Range", "bytes=0-1"), 416)
	wantStatus(t, do(h, "PUT", "/static/f.txt", http.Header{"Range": {"x"}}), 405)
	r := do(h, http.MethodHead, "/static/f.txt", http.Header{"Range": {"bytes=2-4"}})
	wantStatus(t, r, 206)
	wantHeader(t, r, "Content-Length", "3")
}

func TestMultipartRanges(t *testing.T) {
	t.Parallel()
	h, _, _ := conditionsFile(t)
	r := get(h, "/static/f.txt", "Range", "bytes=0-1, 4-5, -1")
	wantStatus(t, r, 206)
	wantHeader(t, r, "Content-Range", "")
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/byteranges" {
		t.Fatalf("Content-Type %q", r.Header.Get("Content-Type"))
	}
	length := r.ContentLength
	raw := body(t, r)
	if int64(len(raw)) != length {
		t.Errorf("body has %d bytes, announced were %d", len(raw), length)
	}
	type part struct{ Type, Range, Body string }
	var got []part
	reader := multipart.NewReader(stringsReader(raw), params["boundary"])
	for {
		p, err := reader.NextPart()
		if err != nil {
			break
		}
		got = append(got, part{p.Header.Get("Content-Type"), p.Header.Get("Content-Range"), readAll(t, p)})
	}
	const text = "text/plain; charset=utf-8"
	if diff := cmp.Diff([]part{{text, "bytes 0-1/10", "01"}, {text, "bytes 4-5/10", "45"}, {text, "bytes 9-9/10", "9"}}, got); diff != "" {
		t.Error(diff)
	}
	head := do(h, http.MethodHead, "/static/f.txt", http.Header{"Range": {"bytes=0-1, 4-5, -1"}})
	if body(t, head) != "" || head.ContentLength != length {
		t.Errorf("HEAD: Content-Length %d, want %d", head.ContentLength, length)
	}
}
