package lattice

import (
	"math"
	"strconv"
	"testing"
	"unique"

	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/internal/jsontext"
)

// Versions always have a fraction or an exponent (protocol §8.1).
func TestAppendVersion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		f    float64
		want string
	}{
		{7, "7.0"},
		{0, "0.0"},
		{-1, "-1.0"},
		{0.5, "0.5"},
		{1503328586.5, "1503328586.5"},
		{1e20, "100000000000000000000.0"},
		{1e21, "1e21"},
		{-1.5e300, "-1.5e300"},
		{1e-6, "0.000001"},
		{1e-7, "1e-7"},
		{1.25e-10, "1.25e-10"},
		{math.MaxFloat64, "1.7976931348623157e308"},
		{math.SmallestNonzeroFloat64, "5e-324"},
	} {
		if got := string(appendVersion([]byte("x"), tt.f)); got != "x"+tt.want {
			t.Errorf("%g: got %s, want x%s", tt.f, got, tt.want)
		}
	}
}

func TestVersionRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }).Draw(t, "f")
		text := appendVersion(nil, f)
		if err := jsontext.Check(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if back, err := strconv.ParseFloat(string(text), 64); err != nil || back != f {
			t.Fatalf("%g became %s", f, text)
		}
		if _, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			t.Fatalf("%s is an integer", text)
		}
	})
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{`null`, `null`},
		{`true`, `true`},
		{`[ 1 , [ ] , { } ]`, `[1,[],{}]`},
		{`{"b":1,"a":[{"d":1,"c":2}]}`, `{"a":[{"c":2,"d":1}],"b":1}`},
		{`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{`{"\u0061":1,"a":2}`, `{"a":2}`},
		{`{"\u0022":1,"":2}`, `{"":2,"\"":1}`},
		{`"\u0041\/\u00fc\n\u001f"`, `"A/ü\n\u001f"`},
		{`"plain"`, `"plain"`},
		{`5.0`, `5`},
		{`50e-1`, `5`},
		{`-5.0`, `-5`},
		{`-5`, `-5`},
		{`-0`, `0`},
		{`-0.0`, `0`},
		{`0.10`, `0.1`},
		{`1e21`, `1e21`},
		{`1E+21`, `1e21`},
		{`10e20`, `1e21`},
		{`18446744073709551615`, `18446744073709551615`},
		{`-9223372036854775808`, `-9223372036854775808`},
		{`9007199254740993`, `9007199254740993`},
		{`9007199254740993.0`, `9007199254740992`},
		{`1000000000000000000000000`, `1e24`},
	} {
		if err := jsontext.Check([]byte(tt.text)); err != nil {
			t.Fatal(err)
		}
		if got := string(appendCanonical(nil, []byte(tt.text))); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
		if got := string(appendCanonical(nil, []byte(tt.want))); got != tt.want {
			t.Errorf("%s: not stable: %s", tt.want, got)
		}
	}
}

func TestAppendVars(t *testing.T) {
	t.Parallel()
	k := keys(t, `{"q:9":{},"q:7":{".end":5,".gen":3,"tags_set":["x"],"size_counter":4,"mood_register":[12,"ok"]}}`)
	const want = `{"q:7":{"mood_register":[12.0,"ok"],"size_counter":4,"tags_set":["x"]},"q:9":{}}`
	if got := string(k.AppendVars(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What a user sees: shared variables replace private ones of the same name and kind (protocol §8.4).
func TestAppendVisible(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ private, shared, want string }{
		{`{}`, `{}`, `{}`},
		{`{"a_counter":1}`, `{}`, `{"a_counter":1}`},
		{`{}`, `{"a_counter":1}`, `{"a_counter":1}`},
		{`{"a_counter":9,"c_counter":3}`, `{"a_counter":1,"b_counter":2}`, `{"a_counter":1,"b_counter":2,"c_counter":3}`},
		{`{"a_counter":9}`, `{"a_set":["x"]}`, `{"a_counter":9,"a_set":["x"]}`},
		{`{"m_set":["p"]}`, `{".end":1,"m_set":["s"],"z_counter":1}`, `{"m_set":["s"],"z_counter":1}`},
		{`{"y_counter":1,"z_counter":1}`, `{"a_counter":2}`, `{"a_counter":2,"y_counter":1,"z_counter":1}`},
	} {
		p, s := state(t, tt.private), state(t, tt.shared)
		if got := string(AppendVisible([]byte("x"), &p, &s)); got != "x"+tt.want {
			t.Errorf("%s over %s: got %s, want x%s", tt.shared, tt.private, got, tt.want)
		}
	}
	s := state(t, `{"a_counter":1}`)
	if got := string(AppendVisible(nil, nil, &s)) + string(AppendVisible(nil, &s, nil)) + string(AppendVisible(nil, nil, nil)); got != `{"a_counter":1}{"a_counter":1}{}` {
		t.Errorf("with nil: %s", got)
	}
}

// Digests are compared between nodes of different versions: they must never change.
func TestDigestIsFixed(t *testing.T) {
	t.Parallel()
	k := keys(t, `{"q:7":{".end":5,".gen":3,"tags_set":["x","y"],"size_counter":4,"mood_register":[12,{"b":1,"a":2.0}]},"q:9":{}}`)
	if got := k.Digest(); got != digestOfExample {
		t.Errorf("got %#x", got)
	}
	var none Keys
	if none.Digest() != 0 {
		t.Error("no keys: not 0")
	}
}

const digestOfExample = 0x63fe0503ed100898

func TestVarsLen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := genState(alike).Draw(t, "state")
		s.vars = append(s.vars, variable{value: newRegister(rapid.Float64().Draw(t, "version"), "1")}, variable{value: newCounter(rapid.Uint64().Draw(t, "counter"))})
		s.vars[len(s.vars)-2].name, s.vars[len(s.vars)-1].name = unique.Make("x_register"), unique.Make("x_counter")
		if text := s.AppendVars(nil); s.VarsLen() != len(text) {
			t.Fatalf("%s: VarsLen = %d, want %d", text, s.VarsLen(), len(text))
		}
	})
}
