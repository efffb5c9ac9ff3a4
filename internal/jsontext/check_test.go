package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestMessages holds every parser text with its position: they reach clients (protocol §4.5).
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", "EOF while parsing a value at line 1 column 0"},
		{" \n ", "EOF while parsing a value at line 2 column 1"},
		{"[not a valid json", "expected ident at line 1 column 3"},
		{"n", "EOF while parsing a value at line 1 column 1"},
		{"tru", "EOF while parsing a value at line 1 column 3"},
		{"nulL", "expected ident at line 1 column 4"},
		{"fa\nse", "expected ident at line 2 column 0"},
		{"nulla", "trailing characters at line 1 column 5"},
		{"[", "EOF while parsing a list at line 1 column 1"},
		{"[1", "EOF while parsing a list at line 1 column 2"},
		{"[1,", "EOF while parsing a value at line 1 column 3"},
		{"[,", "expected value at line 1 column 2"},
		{"[1,]", "trailing comma at line 1 column 4"},
		{"[1 2]", "expected `,` or `]` at line 1 column 4"},
		{"[1,,2]", "expected value at line 1 column 4"},
		{"[1}", "expected `,` or `]` at line 1 column 3"},
		{"[]]", "trailing characters at line 1 column 3"},
		{"]", "expected value at line 1 column 1"},
		{"{", "EOF while parsing an object at line 1 column 1"},
		{`{"a"`, "EOF while parsing an object at line 1 column 4"},
		{`{"a" 1}`, "expected `:` at line 1 column 6"},
		{`{"a":`, "EOF while parsing a value at line 1 column 5"},
		{`{"a":1`, "EOF while parsing an object at line 1 column 6"},
		{`{"a":1,`, "EOF while parsing a value at line 1 column 7"},
		{`{"a":1,}`, "trailing comma at line 1 column 8"},
		{`{"a":1 "b":2}`, "expected `,` or `}` at line 1 column 8"},
		{`{"a":1]`, "expected `,` or `}` at line 1 column 7"},
		{"{1:2}", "key must be a string at line 1 column 2"},
		{`{"a":1,b:2}`, "key must be a string at line 1 column 8"},
		{`"abc`, "EOF while parsing a string at line 1 column 4"},
		{`"\`, "EOF while parsing a string at line 1 column 2"},
		{`"\u12"`, "EOF while parsing a string at line 1 column 6"},
		{`"\ud800`, "EOF while parsing a string at line 1 column 7"},
		{"\"\x01\"", "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 2"},
		{"\"a\nb\"", "control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0"},
		{`"\x"`, "invalid escape at line 1 column 3"},
		{`"\u12x4"`, "invalid escape at line 1 column 6"},
		{`"\udc00"`, "lone leading surrogate in hex escape at line 1 column 7"},
		{`"\ud800\u0041"`, "lone leading surrogate in hex escape at line 1 column 13"},
		{`"\ud800a"`, "unexpected end of hex escape at line 1 column 8"},
		{`"\ud800\n"`, "unexpected end of hex escape at line 1 column 9"},
		{"\"\xff\"", "invalid unicode code point at line 1 column 3"},
		{"\"\xed\xa0\x80\"", "invalid unicode code point at line 1 column 5"},
		{"\"\xff\x01\"", "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 3"},
		{"{\"\xff\":1}", "invalid unicode code point at line 1 column 4"},
		{"-", "EOF while parsing a value at line 1 column 1"},
		{"-x", "invalid number at line 1 column 2"},
		{"01", "invalid number at line 1 column 2"},
		{"-01", "invalid number at line 1 column 3"},
		{"1.", "EOF while parsing a value at line 1 column 2"},
		{"1.x", "invalid number at line 1 column 3"},
		{"1e", "EOF while parsing a value at line 1 column 2"},
		{"1e+x", "invalid number at line 1 column 4"},
		{"1e400", "number out of range at line 1 column 5"},
		{"[-1e400]", "number out of range at line 1 column 7"},
		{strings.Repeat("9", 400), "number out of range at line 1 column 400"},
		{"1 2", "trailing characters at line 1 column 3"},
		{"\xef\xbb\xbf1", "expected value at line 1 column 1"},
		{"[\n1,\n  x]", "expected value at line 3 column 3"},
		{strings.Repeat("[", 129), "recursion limit exceeded at line 1 column 129"},
		{strings.Repeat(`{"a":`, 128) + "{}", "recursion limit exceeded at line 1 column 641"},
		{strings.Repeat("[", 100_000), "recursion limit exceeded at line 1 column 129"},
	} {
		err := Check([]byte(c.in))
		if _, ok := errors.AsType[*SyntaxError](err); !ok {
			t.Errorf("Check(%.40q) = %v, want a SyntaxError", c.in, err)
			continue
		}
		if got := err.Error(); got != c.want {
			t.Errorf("Check(%.40q):\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"0", "-0", "1e-999", "0e999", "1.5E+3", "18446744073709551616", " null ", "\t\r\n true", "false", `""`,
		`"\"\\\/\b\f\n\r\t\u0000\uD83D\ude00"`, `"é漢😀"`, "\"\x7f\"", "[]", "{}", "[ ]", "{ }", `[[],{},[[]]]`, `{"":{"":[]}}`,
		`{"a":1,"a":2}`, ` [ 1 , "x" , null ] `, ` { "a" : 1 , "b" : [ ] } `, "1" + strings.Repeat("0", 308),
		strings.Repeat("[", 128) + strings.Repeat("]", 128),
		"[" + strings.Repeat("[[]],", 1000) + "0]",
		strings.Repeat(`{"a":[`, 64) + strings.Repeat("]}", 64),
	} {
		if err := Check([]byte(in)); err != nil {
			t.Errorf("Check(%.60q) = %v", in, err)
		}
	}
}

// TestSpecialAtEveryOffset puts each byte that ends the fast path at each place of a word.
func TestSpecialAtEveryOffset(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for before := range 20 {
			for after := range 10 {
				data := bytes.Repeat([]byte{'a'}, before+1+after)
				data[before] = byte(c)
				want := len(data)
				if c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
					want = before
				}
				if got := special(data, 0); got != want {
					t.Fatalf("special(%q) = %d, want %d", data, got, want)
				}
			}
		}
	}
}

// anyText draws texts that are nearly JSON.
func anyText() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"[", "]", "{", "}", ",", ":", " ", "\n", `"`, `"a"`, `"a":`, `\`, `\u12`, `"\ud800\udc00"`, "null", "true", "fals", "1", "-0.5e3",
		"0", "é", "\xff", "[]", "{}", `{"a":1}`, "abcdefgh",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(piece, 0, 20).Draw(t, "pieces"), "")
	})
}

func TestCheckAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { compare(t, []byte(anyText().Draw(t, "text"))) })
}

type fataler interface{ Fatalf(string, ...any) }

// compare holds Check against encoding/json, which knows nothing of our three extra rules.
func compare(t fataler, data []byte) {
	err := Check(data)
	valid := json.Valid(data)
	if err == nil {
		if !valid || !utf8.Valid(data) {
			t.Fatalf("Check passed %q", data)
		}
		return
	}
	syntax, ok := errors.AsType[*SyntaxError](err)
	if !ok {
		t.Fatalf("Check(%q) = %T", data, err)
	}
	switch syntax.Msg {
	case msgDepth, msgRange, msgSurrogate, msgHexEnd, msgCodePoint:
		return
	}
	if valid {
		t.Fatalf("Check(%q) = %v, encoding/json passes it", data, err)
	}
	lines := bytes.Split(data, []byte{'\n'})
	if syntax.Line < 1 || syntax.Line > len(lines) || syntax.Col < 0 || syntax.Col > len(lines[syntax.Line-1]) {
		t.Fatalf("Check(%q) = %v: no such place", data, err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "[not a valid json", `["a",{"b":1.5e3},[null,true]]`, `"\ud83d\ude00é"`, "\"\xff\"", "1e999", strings.Repeat("[", 130)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { compare(t, data) })
}

func TestCheckAllocatesNothing(t *testing.T) {
	data := sample(4096)
	if n := testing.AllocsPerRun(100, func() {
		if Check(data) != nil {
			t.Error("sample is not valid")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// sample is a text of about n bytes as backends send them.
func sample(n int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := 0; b.Len() < n; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"Person number %d","text":"The quick brown fox, \"quoted\", jumps","tags":["a","b"],"at":17.25,"ok":true}`, i, i)
	}
	b.WriteByte(']')
	return b.Bytes()
}

func BenchmarkCheck(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		data := sample(size)
		b.Run(fmt.Sprintf("ours/%d", size), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if err := Check(data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("stdlib/%d", size), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if !json.Valid(data) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
