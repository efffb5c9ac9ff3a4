package static

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseRangeRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-3", "bytes=1", "bytes=1-2-3", "bytes=0x1-2", "bytes=+1-2", "bytes=1-\xff", "=1-2", "bytes=,", "bytes=0-1,x",
		"", "b ytes=0-1",
	} {
		if got, ok := parseRange([]string{in}); ok {
			t.Errorf("parseRange(%q) = %v, want refused", in, got)
		}
	}
	if _, ok := parseRange([]string{"bytes=0-1", "bytes=2-3"}); ok {
		t.Error("two headers pass")
	}
}

func TestResolveRanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		size int64
		want []span
		ok   bool
	}{
		{"bytes=0-4", 10, []span{{0, 5}}, true},
		{"BYTES=0-4", 10, []span{{0, 5}}, true},
		{"bytes=5-", 10, []span{{5, 5}}, true},
		{"bytes=5-99", 10, []span{{5, 5}}, true},
		{"bytes=5-99999999999999999999999", 10, []span{{5, 5}}, true},
		{"bytes=9-9", 10, []span{{9, 1}}, true},
		{"bytes=-3", 10, []span{{7, 3}}, true},
		{"bytes=-99", 10, []span{{0, 10}}, true},
		{"bytes=-99999999999999999999999", 10, []span{{0, 10}}, true},
		{"bytes=-0", 10, nil, false},
		{"bytes=10-", 10, nil, false},
		{"bytes=99999999999999999999999-", 10, nil, false},
		{"bytes=0-0", 0, nil, false},
		{"bytes=-5", 0, []span{{0, 0}}, true},
		{"bytes=0-1,2-3", 10, []span{{0, 4}}, true},
		{"bytes=0-3,2-5", 10, []span{{0, 6}}, true},
		{"bytes=0-5,2-3", 10, []span{{0, 6}}, true},
		{"bytes=2-3,0-5", 10, []span{{0, 6}}, true},
		{"bytes=0-1, 4-5 ,8-9", 10, []span{{0, 2}, {4, 2}, {8, 2}}, true},
		{"bytes=0-1,,-1", 10, []span{{0, 2}, {9, 1}}, true},
		{"bytes=0-1,50-60", 10, []span{{0, 2}}, true},
		{"bytes=50-60,70-", 10, nil, false},
		{"bytes=0-6,8-9,0-6", 10, nil, true}, // more than the file: the whole file
		{"lines=1-2", 10, nil, true},
		{"bytes=0-0" + strings.Repeat(",2-2,0-0", 64), 10, nil, true},
	} {
		q, ok := parseRange([]string{c.in})
		if !ok {
			t.Errorf("parseRange(%.40q) refused", c.in)
			continue
		}
		got, ok := q.resolve(c.size)
		if ok != c.ok || ok && !cmp.Equal(got, c.want, cmp.AllowUnexported(span{})) {
			t.Errorf("%.40q of %d = %v %v, want %v %v", c.in, c.size, got, ok, c.want, c.ok)
		}
	}
	if q, ok := parseRange(nil); !ok || len(q.specs) != 0 {
		t.Error("no header")
	}
}

func TestContentRange(t *testing.T) {
	t.Parallel()
	if got := (span{2, 3}).contentRange(10); got != "bytes 2-4/10" {
		t.Error(got)
	}
	if got := (span{0, 0}).contentRange(0); got != "bytes */0" {
		t.Error(got)
	}
}

func rangeHolds(t fataler, header string, size int64) {
	q, ok := parseRange([]string{header})
	if !ok {
		return
	}
	spans, _ := q.resolve(size)
	var total int64
	for _, s := range spans {
		if s.start < 0 || s.length < 0 || s.start > size || s.length > size-s.start {
			t.Fatalf("%q of %d gives %v", header, size, spans)
		}
		if s.length == 0 && size > 0 {
			t.Fatalf("%q of %d gives an empty part", header, size)
		}
		total += s.length
	}
	if len(spans) > maxRanges || total > size {
		t.Fatalf("%q of %d gives %d parts, %d bytes", header, size, len(spans), total)
	}
}

func TestRangesStayInside(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"0", "1", "5", "9", "17", "-", "-", ",", " ", "9223372036854775807", "9223372036854775808", "x"})
	rapid.Check(t, func(t *rapid.T) {
		rangeHolds(t, "bytes="+strings.Join(rapid.SliceOfN(piece, 1, 15).Draw(t, "set"), ""), rapid.Int64Range(0, 20).Draw(t, "size"))
	})
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-4,-3,5-", int64(10))
	f.Add("bytes=9223372036854775807-", int64(1<<62))
	f.Fuzz(func(t *testing.T, header string, size int64) { rangeHolds(t, header, max(size, 0)) })
}
