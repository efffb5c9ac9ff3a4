package routing_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/routing"
)

func TestParseKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]routing.Key{
		"example.com":           {Host: "example.com"},
		"example.com/":          {Host: "example.com"},
		"example.com/some/path": {Host: "example.com", Path: "/some/path"},
		"*":                     {Any: true},
		"*/":                    {Any: true},
		"*/x":                   {Any: true, Path: "/x"},
		"*.example.com/x":       {Star: true, Host: "example.com", Path: "/x"},
		"*example.com":          {Host: "*example.com"},
		".example.com":          {Host: ".example.com"},
		"localhost:":            {Host: "localhost:"},
		"localhost:8080/a":      {Host: "localhost:8080", Path: "/a"},
		"/x":                    {Path: "/x"},
		"":                      {},
	} {
		got, err := routing.ParseKey(in)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"localhost/some/path/", "h//", "*/a/"} {
		_, err := routing.ParseKey(in)
		if !errors.Is(err, routing.ErrTrailingSlash) || err.Error() != `Path must not end with / in "`+in+`"` {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]routing.Target{
		"h":           {Handler: "h"},
		" h  ":        {Handler: "h"},
		"h @a":        {Handler: "h", Authorizer: "a"},
		"@a h":        {Handler: "h", Authorizer: "a"},
		"h@a":         {Handler: "h", Authorizer: "a"},
		"h-1_B\t@a-2": {Handler: "h-1_B", Authorizer: "a-2"},
	} {
		got, err := routing.ParseTarget(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	}
	for in, want := range map[string]error{
		"":        routing.ErrNoHandler,
		"@a":      routing.ErrNoHandler,
		"h g":     routing.ErrTwoHandlers,
		"h@a g":   routing.ErrTwoHandlers,
		"h @a @b": routing.ErrTwoAuthorizers,
		"h@a @b":  routing.ErrTwoAuthorizers,
		"h @":     routing.ErrToken,
		"h ->x":   routing.ErrToken,
		"h a=b":   routing.ErrToken,
		"h.x":     routing.ErrToken,
		"h@a@b":   routing.ErrToken,
	} {
		if got, err := routing.ParseTarget(in); !errors.Is(err, want) {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
}
