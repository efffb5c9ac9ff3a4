package jsontext

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func texts(vs []Value) []string {
	var out []string
	for _, v := range vs {
		out = append(out, string(v))
	}
	return out
}

func TestElements(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"[]", nil},
		{" [ ] ", nil},
		{"7", nil},
		{"", nil},
		{`{"a":1}`, nil},
		{"[1]", []string{"1"}},
		{` [ "a,]" , {"x":[1,2],"y":"}"} , [ [ ] ] , null,-1.5e3 ] `, []string{`"a,]"`, `{"x":[1,2],"y":"}"}`, `[ [ ] ]`, "null", "-1.5e3"}},
		{`["\\",["\\\""],"\\\\"]`, []string{`"\\"`, `["\\\""]`, `"\\\\"`}},
	} {
		if diff := cmp.Diff(c.want, texts(Elements(nil, []byte(c.in)))); diff != "" {
			t.Errorf("Elements(%s): %s", c.in, diff)
		}
	}
}

func TestElementsAppend(t *testing.T) {
	t.Parallel()
	got := Elements([]Value{Value("0")}, []byte("[1,2]"))
	if diff := cmp.Diff([]string{"0", "1", "2"}, texts(got)); diff != "" {
		t.Error(diff)
	}
	_ = append(got[1], "overwritten"...)
	if string(got[2]) != "2" {
		t.Error("appending to an element changed the next one")
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	const in = ` { "a" : 1 , "b\"" :{"x":2},"a":"}" , "":[ ] } `
	var got []string
	Members([]byte(in), func(k []byte, v Value) bool {
		got = append(got, string(k)+"="+string(v))
		return true
	})
	if diff := cmp.Diff([]string{"a=1", `b\"={"x":2}`, `a="}"`, "=[ ]"}, got); diff != "" {
		t.Error(diff)
	}
	calls := 0
	Members([]byte(in), func([]byte, Value) bool { calls++; return calls < 2 })
	if calls != 2 {
		t.Errorf("%d calls after false, want 2", calls)
	}
	for _, in := range []string{"", "[1]", "{}", `"a"`} {
		Members([]byte(in), func([]byte, Value) bool { t.Errorf("Members(%q) calls", in); return true })
	}
	if v, ok := Lookup([]byte(in), "a"); !ok || string(v) != `"}"` {
		t.Errorf("Lookup(a) = %s %v, want the last one", v, ok)
	}
	if v, ok := Lookup([]byte(in), `b"`); !ok || string(v) != `{"x":2}` {
		t.Errorf(`Lookup(b") = %s %v`, v, ok)
	}
	if _, ok := Lookup([]byte(in), "x"); ok {
		t.Error("Lookup finds a nested key")
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Kind{
		"": Invalid, "x": Invalid, " null": Null, "true": Bool, "false": Bool, "-1": Number, "0": Number, `"a"`: String, " [": Array, "{": Object,
	} {
		if got := Value(in).Kind(); got != want {
			t.Errorf("Kind(%q) = %v, want %v", in, got, want)
		}
	}
	if Kind(-1).String() != "invalid" || Kind(99).String() != "invalid" || Object.String() != "object" {
		t.Error("names of kinds")
	}
	if got := string(Trim([]byte("\t [ 1 ] \r\n"))); got != "[ 1 ]" {
		t.Errorf("Trim = %q", got)
	}
}

func TestUint64(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]uint64{"0": 0, "7": 7, "90": 90, "18446744073709551615": 1<<64 - 1} {
		if got, ok := Uint64([]byte(in)); !ok || got != want {
			t.Errorf("Uint64(%s) = %d %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "-1", "-0", "1.0", "1e3", "01", "18446744073709551616", "99999999999999999999", "100000000000000000000", `"5"`, "true", " 1", "1 "} {
		if got, ok := Uint64([]byte(in)); ok {
			t.Errorf("Uint64(%q) = %d, want none", in, got)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": `""`, "ann": `"ann"`, "a\"b\\c/": `"a\"b\\c/"`, "\b\f\n\r\t\x00\x1f\x7f": `"\b\f\n\r\t\u0000\u001f` + "\x7f" + `"`,
		"é😀": `"é😀"`, "a\xff\xfeb": "\"a\uFFFD\uFFFDb\"", "<&>": `"<&>"`,
	} {
		if got := string(AppendQuoted(nil, in)); got != want {
			t.Errorf("AppendQuoted(%q) = %s, want %s", in, got, want)
		}
		if got := string(AppendQuoted([]byte("x"), []byte(in))); got != "x"+want {
			t.Errorf("AppendQuoted of bytes %q = %s, want %s", in, got, want)
		}
	}
}

func TestUnquote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`""`: "", `"a"`: "a", `"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t", `"\u0041\u00e9\ud83d\ude00x"`: "Aé😀x", `"a\u0000b"`: "a\x00b",
	} {
		if got, ok := Unquote([]byte(in)); !ok || got != want {
			t.Errorf("Unquote(%s) = %q %v, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"", `"`, "a", "1", "null", `"\"`, `"\u12"`, `"\q"`, `"\ud800"`, `"\ud800x"`} {
		if got, ok := Unquote([]byte(in)); ok {
			t.Errorf("Unquote(%s) = %q, want none", in, got)
		}
	}
}

func TestKeyEqual(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, name string
		want      bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"", "", true}, {`\u0061`, "a", true}, {`\u0061ctive`, "active", true}, {`a\"`, `a"`, true}, {`\u00`, "a", false},
	} {
		if got := KeyEqual([]byte(c.key), c.name); got != c.want {
			t.Errorf("KeyEqual(%s, %s) = %v", c.key, c.name, got)
		}
	}
}

func TestQuoteRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		if rapid.Bool().Draw(t, "text") {
			s = rapid.String().Draw(t, "s")
		}
		q := AppendQuoted(nil, s)
		if err := Check(q); err != nil {
			t.Fatalf("AppendQuoted(%q) = %s: %v", s, q, err)
		}
		got, ok := Unquote(q)
		want := strings.ToValidUTF8(s, "") // only for comparison of what was valid
		if !utf8.ValidString(s) {
			got = strings.ReplaceAll(got, "\uFFFD", "")
			want = strings.ReplaceAll(want, "\uFFFD", "")
		}
		if !ok || got != want {
			t.Fatalf("Unquote(%s) = %q, want %q", q, got, want)
		}
	})
}

// elementsAgree holds Elements and Members against encoding/json on text that Check passes.
func elementsAgree(t fataler, data []byte) {
	if Check(data) != nil {
		// Unchecked text: nothing must panic.
		Elements(nil, data)
		Members(data, func(k []byte, v Value) bool { KeyEqual(k, "a"); Unquote(v); return true })
		return
	}
	switch Value(data).Kind() {
	case Array:
		var want []json.RawMessage
		if json.Unmarshal(data, &want) != nil {
			return // encoding/json's own depth limit and the like
		}
		got := Elements(nil, data)
		if len(got) != len(want) {
			t.Fatalf("Elements(%s): %d, want %d", data, len(got), len(want))
		}
		for i := range got {
			if string(got[i]) != string(want[i]) {
				t.Fatalf("Elements(%s)[%d] = %q, want %q", data, i, got[i], want[i])
			}
		}
	case Object:
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) != nil {
			return
		}
		got := map[string]json.RawMessage{}
		Members(data, func(k []byte, v Value) bool {
			name, ok := Unescape(nil, k)
			if !ok {
				t.Fatalf("Unescape(%s)", k)
			}
			if !KeyEqual(k, string(name)) {
				t.Fatalf("KeyEqual(%s, %s)", k, name)
			}
			got[string(name)] = json.RawMessage(v)
			return true
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("Members(%s): %s", data, diff)
		}
	case String:
		var want string
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("encoding/json refuses %s: %v", data, err)
		}
		if got, ok := Unquote(Trim(data)); !ok || got != want {
			t.Fatalf("Unquote(%s) = %q %v, want %q", data, got, ok, want)
		}
	case Number:
		var want uint64
		err := json.Unmarshal(data, &want)
		if got, ok := Uint64(Trim(data)); ok != (err == nil) || ok && got != want {
			t.Fatalf("Uint64(%s) = %d %v, want %d %v", data, got, ok, want, err)
		}
	}
}

func TestElementsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { elementsAgree(t, []byte(anyText().Draw(t, "text"))) })
}

func FuzzElements(f *testing.F) {
	for _, s := range []string{`["a,]",{"x":[1,2]},[[]],null]`, `{"a":1,"b\"":{"x":2}}`, `["\\",["\\\""]]`, `"\u0041"`, "42", "[", `{"a`, `{"a":`, `["`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { elementsAgree(t, data) })
}

func BenchmarkElements(b *testing.B) {
	data := []byte(`["desk.close_ticket",{"request_id":17,"active":90},["T-5",` + string(sample(500)) + `],{"notify":true}]`)
	var parts [4]Value
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if len(Elements(parts[:0], data)) != 4 {
			b.Fatal("elements")
		}
	}
}
