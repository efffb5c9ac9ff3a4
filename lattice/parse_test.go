package lattice

import (
	"errors"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/port"
)

// parse reads an update at time 1000, after the check that its callers make.
func parse(t testing.TB, text string) (*Delta, error) {
	t.Helper()
	if err := jsontext.Check([]byte(text)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return ParseDelta([]byte(text), 1000, DefaultLimits())
}

// in puts the members of a key into an update, shared or private.
func in(area, vars string) string {
	if area == "shared" {
		return `{"shared":{"q:7":` + vars + `}}`
	}
	return `{"private":{"ann":{"q:7":` + vars + `}}}`
}

func (d *Delta) text() string {
	b := d.Shared.AppendStored(nil)
	for _, p := range d.Private {
		b = append(b, " "+string(p.User)+" "...)
		b = p.Keys.AppendStored(b)
	}
	return string(b)
}

// The rules of protocol §8.1 for one key; they hold in both areas.
func TestParseVariables(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 3000)
	for _, tt := range []struct{ vars, want string }{
		{`{}`, `{}`},
		{`{"a_counter":0}`, `{"a_counter":0}`},
		{`{"a_counter":18446744073709551615}`, `{"a_counter":18446744073709551615}`},
		{`{"_x9_counter": 7 , "B_set" : [ ] }`, `{"B_set":[],"_x9_counter":7}`},
		{`{"x_counter_set":["a"]}`, `{"x_counter_set":["a"]}`},
		{`{"x_set_counter":1}`, `{"x_set_counter":1}`},
		{`{"x_register_register":[1,2]}`, `{"x_register_register":[1.0,2]}`},
		{`{"__counter":1}`, `{"__counter":1}`},
		{`{"expires_in_counter":1}`, `{"expires_in_counter":1}`},
		{`{"` + long + `_counter":1}`, `{"` + long + `_counter":1}`},
		{`{"s\u0069ze_c\u006funter":4}`, `{"size_counter":4}`},
		{`{"a_set":["y","x","y","\u0078"]}`, `{"a_set":["x","y"]}`},
		{`{"a_set":["","\"","\\","\u0000","ü","\u00fc","\ud83d\ude00"]}`, `{"a_set":["","\u0000","\"","\\","ü","😀"]}`},
		{`{"a_register":[7,"x"]}`, `{"a_register":[7.0,"x"]}`},
		{`{"a_register":[-7.0,"x"]}`, `{"a_register":[-7.0,"x"]}`},
		{`{"a_register":[1503328586.5,"x"]}`, `{"a_register":[1503328586.5,"x"]}`},
		{`{"a_register":[1e21,"x"]}`, `{"a_register":[1e21,"x"]}`},
		{`{"a_register":[-0,"x"]}`, `{"a_register":[0.0,"x"]}`},
		{`{"a_register":[18446744073709551615,"x"]}`, `{"a_register":[18446744073709552000.0,"x"]}`},
		{`{"a_register":[1,null]}`, `{"a_register":[1.0,null]}`},
		{`{"a_register":[1, {"b": [1.50, "\u0041"], "b":2} ]}`, `{"a_register":[1.0,{"b": [1.50, "\u0041"], "b":2}]}`},
		{`{"a_counter":1,"a_counter":3,"a_counter":2}`, `{"a_counter":2}`},
		{`{"a_counter":1,"a\u005fcounter":2}`, `{"a_counter":2}`},
		{`{"a_set":["x"],"a_set":["y"]}`, `{"a_set":["y"]}`},
		{`{"expires_in":"90s"}`, `{".end":91000}`},
		{`{"expires_in":"2h 37min","a_counter":1}`, `{".end":9421000,"a_counter":1}`},
		{`{"expires_in":"1d","expires_in":"5 min"}`, `{".end":301000}`},
		{`{"expir\u0065s_in":"\u0031s"}`, `{".end":2000}`},
		{`{"expires_in":"1ns"}`, `{".end":1001}`},
		{`{"expires_in":"0s"}`, `{".end":1000}`},
	} {
		for _, area := range []string{"shared", "private"} {
			d, err := parse(t, in(area, tt.vars))
			if err != nil {
				t.Errorf("%s %.200s: %v", area, tt.vars, err)
				continue
			}
			want := `{"q:7":` + tt.want + `}`
			if area == "private" {
				want = `{} ann ` + want
			}
			if got := d.text(); got != want {
				t.Errorf("%s %.200s: got %.300s, want %.300s", area, tt.vars, got, want)
			}
		}
	}
}

func TestParseVariablesMalformed(t *testing.T) {
	t.Parallel()
	for _, vars := range []string{
		`null`, `[]`, `1`, `"x"`, `true`,
		`{"a_counter":5.0}`, `{"a_counter":-1}`, `{"a_counter":-0}`, `{"a_counter":1e2}`, `{"a_counter":"1"}`, `{"a_counter":null}`,
		`{"a_counter":18446744073709551616}`, `{"a_counter":[1]}`, `{"a_counter":true}`,
		`{"a_set":[1]}`, `{"a_set":["x",null]}`, `{"a_set":"x"}`, `{"a_set":{}}`, `{"a_set":null}`, `{"a_set":[["x"]]}`,
		`{"a_register":[]}`, `{"a_register":[1]}`, `{"a_register":[1,2,3]}`, `{"a_register":["1",2]}`, `{"a_register":[null,2]}`,
		`{"a_register":{"1":2}}`, `{"a_register":1}`, `{"a_register":null}`,
		`{"":1}`, `{"a":1}`, `{"counter":1}`, `{"_counter":1}`, `{"_set":[]}`, `{"9a_counter":1}`, `{"a-b_counter":1}`, `{"a.b_counter":1}`,
		`{"a b_counter":1}`, `{"\u00fc_counter":1}`, `{"a_Counter":1}`, `{"a_counter ":1}`, `{"a\u0000_counter":1}`, `{"a_counters":1}`,
		`{".end":1}`, `{".gen":1}`, `{".x_counter":1}`,
		`{"expires_in":90}`, `{"expires_in":"90"}`, `{"expires_in":""}`, `{"expires_in":"1.5s"}`, `{"expires_in":"-1s"}`, `{"expires_in":null}`,
		`{"expires_in":["1s"]}`, `{"expires_in":"1000y"}`, `{"expires_in":"1 fortnight"}`,
		// What a later member of the same name replaces is checked all the same.
		`{"a_counter":-1,"a_counter":1}`, `{"expires_in":"x","expires_in":"1s"}`,
	} {
		for _, area := range []string{"shared", "private"} {
			d, err := parse(t, in(area, vars))
			if !errors.Is(err, port.ErrMalformed) || errors.Is(err, port.ErrLimit) || d != nil {
				t.Errorf("%s %s: %v", area, vars, err)
			}
		}
	}
}

// The rules of protocol §8.2 above the keys.
func TestParseDelta(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{`{}`, `{}`},
		{" \n{ } ", `{}`},
		{`{"shared":null}`, `{}`},
		{`{"private":null,"shared":null}`, `{}`},
		{`{"shared":{}}`, `{}`},
		{`{"private":{}}`, `{}`},
		{`{"private":{"ann":{}}}`, `{} ann {}`},
		{`{"private":{"ann":{"q:9":{}}}}`, `{} ann {"q:9":{}}`},
		{`{"Shared":1,"x":[{"shared":1}],"":null}`, `{}`},
		{`{"sh\u0061red":{"a":{}}}`, `{"a":{}}`},
		{`{"shared":{"b":{},"a":{"x_counter":1},"b":{"y_counter":2}}}`, `{"a":{"x_counter":1},"b":{"y_counter":2}}`},
		{`{"shared":{"b":{"x_counter":1},"\u0062":{}}}`, `{"b":{}}`},
		{`{"shared":{"A-z_0.9:b":{}}}`, `{"A-z_0.9:b":{}}`},
		{`{"private":{"bob":{"a":{}},"ann":{"a":{}},"bob":{"b":{}}}}`, `{} ann {"a":{}} bob {"b":{}}`},
		{`{"private":{"a.b:c-d_E9":{"a":{}}}}`, `{} a.b:c-d_E9 {"a":{}}`},
		{`{"private":{"":{"a":{}},"ann":{}}}`, `{} ann {}`},
		{
			`{"private":{"ann":{"q:7":{"read_counter":2,"mood_register":[12,"ok"]}}},"shared":{"q:7":{"size_counter":4}}}`,
			`{"q:7":{"size_counter":4}} ann {"q:7":{"mood_register":[12.0,"ok"],"read_counter":2}}`,
		},
	} {
		d, err := parse(t, tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		} else if got := d.text(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestParseDeltaMalformed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`null`, `1`, `"x"`, `[]`, `[{},{}]`, `[null,null]`,
		`{"shared":{},"shared":{}}`, `{"shared":null,"shared":{}}`, `{"shared":{},"sh\u0061red":null}`,
		`{"private":{},"private":null}`,
		`{"shared":[]}`, `{"shared":1}`, `{"shared":"x"}`, `{"shared":false}`,
		`{"private":[]}`, `{"private":{"ann":null}}`, `{"private":{"ann":[]}}`, `{"private":{"ann":{"q":null}}}`,
		`{"shared":{"":{}}}`, `{"shared":{"a b":{}}}`, `{"shared":{"a/b":{}}}`, `{"shared":{"\u00e4":{}}}`, `{"shared":{"*":{}}}`, `{"shared":{">":{}}}`,
		`{"private":{"a b":{}}}`, `{"private":{"a/b":{}}}`, `{"private":{"\u0000":{}}}`, `{"private":{"":{"a":null}}}`,
		`{"shared":{"` + strings.Repeat("k", 401) + `":{}}}`, `{"shared":{"` + strings.Repeat(":", 134) + `":{}}}`,
		`{"private":{"` + strings.Repeat("k", 401) + `":{}}}`,
		`{"shared":{"a":{}},"private":{"ann":{"a":{"x":1}}}}`,
		`{"shared":{"a":{"x":1},"a":{}}}`,
		`{"private":{"ann":{"a":1},"ann":{}}}`,
	} {
		if d, err := parse(t, text); !errors.Is(err, port.ErrMalformed) || d != nil {
			t.Errorf("%.200s: %v", text, err)
		}
	}
	if d, err := parse(t, `{"shared":{"`+strings.Repeat("k", 400)+`":{}}}`); err != nil || d.Shared.Len() != 1 {
		t.Errorf("a key of 400 bytes: %v", err)
	}
}

func TestParseErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	_, err := parse(t, `{"private":{"ann":{"q:7":{"size_counter":-1}}}}`)
	const want = `malformed: a counter must be an integer from 0 to 18446744073709551615`
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"private", "ann", "q:7", "size_counter"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
	_, err = parse(t, `{"shared":{"`+strings.Repeat("x", 5000)+`":1}}`)
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("the error is as long as what came: %d bytes", len(err.Error()))
	}
}

func TestParseDeltaLimits(t *testing.T) {
	t.Parallel()
	lim := Limits{MaxKeysPerNamespace: 2, MaxKeysPerUser: 1, MaxValueSize: 9, MaxSetSize: 2}
	for _, tt := range []struct {
		text string
		ok   bool
	}{
		{`{"shared":{"a":{},"b":{},"a":{}}}`, true},
		{`{"shared":{"a":{},"b":{},"c":{}}}`, false},
		{`{"private":{"ann":{"a":{},"a":{}},"bob":{"b":{}}}}`, true},
		{`{"private":{"ann":{"a":{},"b":{}}}}`, false},
		{`{"shared":{"a":{"x_set":["p","q","q"]}}}`, true},
		{`{"shared":{"a":{"x_set":["","q","r"]}}}`, false},
		{`{"shared":{"a":{"x_set":["1234567"]}}}`, false}, // ["1234567"] has 11 bytes
		{`{"shared":{"a":{"x_set":["12345"]}}}`, true},
		{`{"shared":{"a":{"x_set":["12\u0001"]}}}`, false},
		{`{"shared":{"a":{"x_set":["12\n3"]}}}`, true},
		{`{"private":{"ann":{"a":{"x_register":[123456789012345,"1234567"]}}}}`, true},
		{`{"private":{"ann":{"a":{"x_register":[1,"12345678"]}}}}`, false},
		{`{"private":{"ann":{"a":{"x_counter":12345678901234567890}}}}`, true},
	} {
		_, err := ParseDelta([]byte(tt.text), 0, lim)
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, port.ErrLimit) {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
}

func TestParseStored(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{` {} `, `{}`},
		{`{"a_counter":1,".gen":18446744073709551615,".end":9223372036854775807}`, `{".end":9223372036854775807,".gen":18446744073709551615,"a_counter":1}`},
		{`{".gen":0,".end":0}`, `{}`},
	} {
		s, err := ParseState([]byte(tt.text))
		if err != nil || stored(s) != tt.want {
			t.Errorf("%s: %s, %v", tt.text, stored(s), err)
		}
	}
	for _, text := range []string{
		``, `x`, `{`, `{}}`, `null`, `[]`, `{".end":-1}`, `{".end":1.0}`, `{".end":"1"}`, `{".end":9223372036854775808}`, `{".end":null}`,
		`{".gen":-1}`, `{".gen":1e3}`, `{".gen":18446744073709551616}`, `{".other":1}`, `{"expires_in":"1s"}`, `{"a_counter":-1}`, `{"a_set":["\ud800"]}`,
	} {
		if s, err := ParseState([]byte(text)); !errors.Is(err, port.ErrMalformed) || !s.Empty() || s.End != 0 || s.Gen != 0 {
			t.Errorf("state %s: %s, %v", text, stored(s), err)
		}
		if k, err := ParseKeys([]byte(`{"a":` + text + `}`)); !errors.Is(err, port.ErrMalformed) || k.Len() != 0 {
			t.Errorf("keys with %s: %v", text, err)
		}
	}
	if k, err := ParseKeys([]byte(` {"a":{".gen":2},"b":{}} `)); err != nil || string(k.AppendStored(nil)) != `{"a":{".gen":2},"b":{}}` {
		t.Errorf("keys: %v", err)
	}
}

// What was parsed must not change when the buffer that it came in is used again.
func TestParseSharesNoMemory(t *testing.T) {
	t.Parallel()
	text := []byte(`{"shared":{"k":{"n_counter":1,"r_register":[1,"text"],"s_set":["elem","\u0041"]}},"private":{"ann":{"k":{}}}}`)
	d, err := ParseDelta(text, 0, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := d.text()
	for i := range text {
		text[i] = '#'
	}
	if got := d.text(); got != want {
		t.Errorf("became %s", got)
	}
}
