package testkit

import (
	"encoding/json"
	"strings"
	"testing"
)

// The model of a client: it merges like the original's library and says when a server goes backwards.
func TestView(t *testing.T) {
	t.Parallel()
	v := NewView()
	for _, step := range []struct {
		frame, want string
		backwards   bool
	}{
		{`{"q":{}}`, `{"q":{}}`, false},
		{`{"q":{"a_counter":18446744073709551615,"t_set":["x"],"r_register":[1.5,{"b":1}]}}`, `{"q":{"a_counter":18446744073709551615,"r_register":[1.5,{"b":1}],"t_set":["x"]}}`, false},
		{`{"q":{"t_set":["y"],"r_register":[1.5,"other"]}}`, `{"q":{"a_counter":18446744073709551615,"r_register":[1.5,{"b":1}],"t_set":["x","y"]}}`, false},
		{`{"q":{"r_register":[2,"new"]},"z":{}}`, `{"q":{"a_counter":18446744073709551615,"r_register":[2,"new"],"t_set":["x","y"]},"z":{}}`, false},
		{`{"q":{"a_counter":7}}`, `{"q":{"a_counter":18446744073709551615,"r_register":[2,"new"],"t_set":["x","y"]},"z":{}}`, true},
		{`{"q":{"r_register":[1,"old"]}}`, `{"q":{"a_counter":18446744073709551615,"r_register":[2,"new"],"t_set":["x","y"]},"z":{}}`, true},
	} {
		if err := v.Frame("ns", json.RawMessage(step.frame)); (err != nil) != step.backwards {
			t.Errorf("%s: %v", step.frame, err)
		}
		if got := v.Text("ns"); got != step.want {
			t.Errorf("after %s\n%s\nwant\n%s", step.frame, got, step.want)
		}
	}
	for _, bad := range []string{`[]`, `{"q":[]}`, `{"q":{"a_counter":1.5}}`, `{"q":{"t_set":[1]}}`, `{"q":{"r_register":["1",1]}}`, `{"q":{"what":1}}`} {
		if err := NewView().Frame("ns", json.RawMessage(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	other := NewView()
	other.Join(v)
	if got := other.Text("ns"); got != v.Text("ns") {
		t.Errorf("joined into nothing it is %s", got)
	}
}

// A view that follows on another tells what it has lost of it.
func TestViewLacks(t *testing.T) {
	t.Parallel()
	view := func(text string) *View {
		v := NewView()
		if err := v.Frame("ns", json.RawMessage(text)); err != nil {
			t.Fatal(err)
		}
		return v
	}
	earlier := view(`{"q":{"a_counter":5,"t_set":["x","y"],"e_set":[],"r_register":[2,"b"]},"z":{}}`)
	for text, want := range map[string]string{
		`{"q":{"a_counter":5,"t_set":["x","y"],"e_set":[],"r_register":[2,"b"]},"z":{}}`:                                            ``,
		`{"q":{"a_counter":6,"b_counter":1,"t_set":["w","x","y"],"e_set":["w"],"r_register":[3,"c"]},"z":{"a_counter":1},"new":{}}`: ``,
		`{"q":{"a_counter":5,"t_set":["x","y"],"e_set":[],"r_register":[2,"b"]}}`:                                                   `ns: the key z vanished`,
		`{"q":{"a_counter":4,"t_set":["x"],"r_register":[2,"c"]},"z":{}}`: `ns: q.a_counter was 5 and is 4; ns: q.e_set vanished; ` +
			`ns: q.r_register was {2 "b"} and is {2 "c"}; ns: q.t_set has lost "y"`,
		`{"q":{"r_register":[1,"z"]},"z":{}}`: `ns: q.a_counter was 5 and is <nil>; ns: q.e_set vanished; ` +
			`ns: q.r_register was {2 "b"} and is {1 "z"}; ns: q.t_set has lost "x"; ns: q.t_set has lost "y"`,
	} {
		if got := strings.Join(view(text).Lacks(earlier), "; "); got != want {
			t.Errorf("%s lacks\n%s\nwant\n%s", text, got, want)
		}
	}
	if got := NewView().Lacks(earlier); len(got) != 2 {
		t.Errorf("a view of nothing lacks %q", got)
	}
	if got := earlier.Lacks(NewView()); len(got) != 0 {
		t.Errorf("beside nothing it lacks %q", got)
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	got := Difference(`{"a":{"x_counter":1,"y_counter":1},"c":{}}`, `{"a":{"x_counter":2},"b":{}}`)
	if want := `a.x_counter is 1, want 2; a.y_counter must not be there; b is missing; c must not be there`; got != want {
		t.Errorf("got %s", got)
	}
	if got := Difference(`{"a":{}}`, `{"a":{}}`); got != "" {
		t.Errorf("equal ones differ in %s", got)
	}
}

func TestTruth(t *testing.T) {
	t.Parallel()
	truth := NewTruth()
	for _, body := range []string{
		`{"shared":{"q":{"x_counter":5,"expires_in":"1h"},"hidden":{"x_counter":1}},"private":{"ann":{"q":{"p_counter":2},"own":{}}}}`,
		`{"shared":{"q":{"x_counter":3}},"private":{"bob":{"hidden":{}}}}`,
	} {
		if err := truth.Add("ns", body); err != nil {
			t.Fatal(err)
		}
	}
	for user, want := range map[string]string{"ann": `{"own":{},"q":{"p_counter":2,"x_counter":5}}`, "bob": `{"hidden":{"x_counter":1}}`, "cid": `{}`} {
		if got := truth.Visible("ns", user).Text(); got != want {
			t.Errorf("%s must see %s, want %s", user, got, want)
		}
	}
}
