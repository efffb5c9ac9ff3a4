package names

import (
	"errors"
	"strings"
	"testing"
)

const someNode = NodeID("0123456789_-ABCDEFGHIJKLMNOPQRST")

// parseCase is one text for one of the Parse functions.
type parseCase struct {
	in   string
	want string // the name's text; "" when err is set
	err  error
}

// check runs cases; a case without error must give back want.
func check[N ~string](t *testing.T, name string, parse func(string) (N, error), cases []parseCase) {
	t.Helper()
	for _, c := range cases {
		got, err := parse(c.in)
		if !errors.Is(err, c.err) || err == nil && string(got) != c.want {
			t.Errorf("%s(%.40q) = %.40q, %v; want %.40q, %v", name, c.in, got, err, c.want, c.err)
		}
	}
}

func x(n int) string { return strings.Repeat("x", n) }

func TestParseTopic(t *testing.T) {
	t.Parallel()
	check(t, "ParseTopic", ParseTopic, []parseCase{
		{"rooms.red", "rooms.red", nil},
		{"a", "a", nil},
		{"a:b-c_D.9", "a:b-c_D.9", nil},
		{"a..b", "a..b", nil},
		{".", ".", nil},
		{x(400), x(400), nil},
		{x(401), "", ErrTooLong},
		{strings.Repeat(":", 133) + "x", strings.Repeat(":", 133) + "x", nil}, // 133 × 3 + 1
		{strings.Repeat(":", 134), "", ErrTooLong},
		{strings.Repeat(".", 200), "", ErrTooLong}, // 201 empty tokens of one byte, 200 dots
		{"", "", ErrSyntax},
		{"*", "", ErrSyntax},
		{"a.>", "", ErrSyntax},
		{"a b", "", ErrSyntax},
		{"a\r\n", "", ErrSyntax},
		{"a/b", "", ErrSyntax},
		{"ü", "", ErrSyntax},
		{"a\x00", "", ErrSyntax},
		{"a=b", "", ErrSyntax},
	})
	check(t, "ParseTopicPath", ParseTopicPath, []parseCase{
		{"rooms/red", "rooms.red", nil},
		{"rooms//red", "rooms..red", nil},
		{"rooms.red", "", ErrSyntax},
		{"", "", ErrSyntax},
		{"%2a", "", ErrSyntax},
		{"*", "", ErrSyntax},
	})
}

func TestParseNamespacePath(t *testing.T) {
	t.Parallel()
	check(t, "ParseNamespacePath", ParseNamespacePath, []parseCase{
		{"app/rooms", "app.rooms", nil},
		{"a", "a", nil},
		{"swindonx/y", "swindonx.y", nil},
		{"swindon", "swindon", nil},
		{"swindon/user", "", ErrReserved},
		{"a:b", "", ErrSyntax},
		{"a.b", "", ErrSyntax},
		{"", "", ErrSyntax},
		{x(400), x(400), nil},
		{x(399) + "/", "", ErrTooLong}, // a dot is three bytes in one token
	})
	if ns, err := ParseNamespacePath("swindon/user"); ns != "swindon.user" || !errors.Is(err, ErrReserved) {
		t.Errorf("a reserved namespace is returned all the same: %q, %v", ns, err)
	}
}

func TestParseUserID(t *testing.T) {
	t.Parallel()
	check(t, "ParseUserID", ParseUserID, []parseCase{
		{"u:1", "u:1", nil},
		{"a.b-c_d", "a.b-c_d", nil},
		{"", "", ErrSyntax},
		{"*", "", ErrSyntax},
		{"a b", "", ErrSyntax},
		{"user@example.org", "", ErrSyntax},
		{x(400), x(400), nil},
		{x(398) + ".", "", ErrTooLong},
	})
}

func TestParseMethod(t *testing.T) {
	t.Parallel()
	check(t, "ParseMethod", ParseMethod, []parseCase{
		{"chat.send_message", "chat.send_message", nil},
		{"a..b", "a..b", nil},
		{"swindon", "swindon", nil},
		{"tanglex.y", "tanglex.y", nil},
		{"swindon.x", "", ErrReserved},
		{"tangle.x", "", ErrReserved},
		{"", "", ErrSyntax},
		{"a/b", "", ErrSyntax},
		{"a:b", "", ErrSyntax},
		{"*", "", ErrSyntax},
		{x(400), x(400), nil},
		{x(401), "", ErrTooLong},
	})
	for m, want := range map[Method]bool{
		"a": true, "a.b.c.d.e.f.g.h": true, "a.b.c.d.e.f.g.h.i": false, "": false, ".": false, "a..b": false, ".a": false,
		"a.": false, "a.*": false, ">": false, "a b": false, "a:b": false, Method(x(128)): true, Method(x(129)): false,
	} {
		if m.OnNATS() != want {
			t.Errorf("%q.OnNATS() = %v", m, !want)
		}
	}
	if got := Method("a.b..c").Path(); got != "a/b//c" {
		t.Errorf("Path = %q", got)
	}
}

func TestParsePoolAndPrefix(t *testing.T) {
	t.Parallel()
	check(t, "ParsePool", ParsePool, []parseCase{
		{"main", "main", nil},
		{"a_B-9", "a_B-9", nil},
		{x(64), x(64), nil},
		{x(65), "", ErrTooLong},
		{"", "", ErrSyntax},
		{"a.b", "", ErrSyntax},
		{"*", "", ErrSyntax},
	})
	check(t, "ParsePrefix", ParsePrefix, []parseCase{
		{"sw", "sw", nil},
		{"sw-2", "sw-2", nil},
		{x(64), x(64), nil},
		{x(65), "", ErrTooLong},
		{"s_w", "", ErrSyntax},
		{"", "", ErrSyntax},
		{"$JS", "", ErrSyntax},
		{"a.b", "", ErrSyntax},
	})
	if _, err := NewSpace("sw", "a.b"); !errors.Is(err, ErrSyntax) {
		t.Errorf("NewSpace with a bad pool: %v", err)
	}
	if _, err := NewSpace("s w", "a"); !errors.Is(err, ErrSyntax) {
		t.Errorf("NewSpace with a bad prefix: %v", err)
	}
}

func TestParseNodeID(t *testing.T) {
	t.Parallel()
	check(t, "ParseNodeID", ParseNodeID, []parseCase{
		{string(someNode), string(someNode), nil},
		{string(someNode[1:]), "", ErrSyntax},
		{string(someNode) + "a", "", ErrSyntax},
		{strings.Repeat(".", 32), "", ErrSyntax},
		{strings.Repeat("é", 16), "", ErrSyntax},
	})
}

func TestParseConnID(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]ConnID{
		string(someNode) + "-0":                    {someNode, 0},
		string(someNode) + "-42":                   {someNode, 42},
		string(someNode) + "-007":                  {someNode, 7},
		string(someNode) + "-18446744073709551615": {someNode, 1<<64 - 1},
		strings.Repeat("-", 32) + "-5":             {NodeID(strings.Repeat("-", 32)), 5},
	} {
		if got, err := ParseConnID(in); err != nil || got != want {
			t.Errorf("ParseConnID(%q) = %v, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "-", "-1", string(someNode), string(someNode) + "-", string(someNode) + "--1", string(someNode) + "-+1",
		string(someNode) + "-1x", string(someNode) + "-18446744073709551616", "short-1", string(someNode) + "-1-2",
		string(someNode) + "-1 ", string(someNode) + "-٣",
	} {
		if got, err := ParseConnID(in); !errors.Is(err, ErrSyntax) {
			t.Errorf("ParseConnID(%q) = %v, %v", in, got, err)
		}
	}
	if got := string(ConnID{someNode, 7}.AppendTo([]byte("x "))); got != "x "+string(someNode)+"-7" {
		t.Errorf("AppendTo: %q", got)
	}
}

func TestParseDestination(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, name, path, prefix, text string
	}{
		{"chat", "chat", "/", "", "chat"},
		{"chat/", "chat", "/", "", "chat"},
		{"chat/api/v1", "chat", "/api/v1", "/api/v1", "chat/api/v1"},
		{"chat//x", "chat", "//x", "//x", "chat//x"},
	} {
		d, err := ParseDestination(c.in)
		if err != nil || d.Name != c.name || d.Path != c.path || d.Prefix() != c.prefix || d.String() != c.text {
			t.Errorf("ParseDestination(%q) = %+v, %v", c.in, d, err)
		}
	}
	for _, in := range []string{"", "/", "/x", "a b", "a.b/x", "*"} {
		if d, err := ParseDestination(in); !errors.Is(err, ErrSyntax) {
			t.Errorf("ParseDestination(%q) = %+v, %v", in, d, err)
		}
	}
}

func TestCheckBase(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]error{
		"rpc": nil, "svc.shop": nil, "toplevel": nil, "svc.top": nil,
		"top": ErrReserved, "lat.x": ErrReserved, "auth": ErrReserved, "conn": ErrReserved, "ev": ErrReserved,
		"": ErrSyntax, ".": ErrSyntax, "a.": ErrSyntax, ">": ErrSyntax, "a.*": ErrSyntax, "a b": ErrSyntax, x(129): ErrSyntax,
	} {
		if err := CheckBase(in); !errors.Is(err, want) {
			t.Errorf("CheckBase(%q) = %v, want %v", in, err, want)
		}
	}
}
