package jsontext

import "testing"

func TestIsMediaType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"application/json"}, true},
		{[]string{" Application/JSON "}, true},
		{[]string{"application/json", "application/json"}, false},
		{[]string{"application/jsonp"}, false},
		{[]string{"text/json"}, false},
		{[]string{"application/json; charset=utf-8"}, true},
		{[]string{"application/json;charset=UTF8"}, true},
		{[]string{`application/json; charset="UTF-8"`}, true},
		{[]string{`application/json; Charset = utf-8 ; q=1`}, true},
		{[]string{"application/json; charset=latin-1"}, false},
		{[]string{"application/json; charset="}, false},
		{[]string{"application/json; charset=utf-8; charset=koi8-r"}, false},
		{[]string{`application/json; a="x;charset=latin-1"`}, true},
		{[]string{`application/json; a="\";charset=latin-1"`}, true},
		{[]string{"application/json; charset"}, true},
		{[]string{"application/json; version=1"}, true},
		{[]string{"application/json;"}, true},
		{[]string{"application/json; charset=\xff"}, false},
	} {
		if got := IsMediaType(tt.lines); got != tt.want {
			t.Errorf("IsMediaType(%q) = %v, want %v", tt.lines, got, tt.want)
		}
	}
}
