package lattice

import (
	"testing"
)

// state reads the stored form, with blanks for the eye.
func state(t testing.TB, text string) State {
	t.Helper()
	s, err := ParseState([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stored(s State) string { return string(s.AppendStored(nil)) }

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, old, delta, after, grown string }{
		{"counter absent", `{}`, `{"a_counter":0}`, `{"a_counter":0}`, `{"a_counter":0}`},
		{"counter greater", `{"a_counter":3}`, `{"a_counter":4}`, `{"a_counter":4}`, `{"a_counter":4}`},
		{"counter equal", `{"a_counter":3}`, `{"a_counter":3}`, `{"a_counter":3}`, ``},
		{"counter lower", `{"a_counter":3}`, `{"a_counter":2}`, `{"a_counter":3}`, ``},
		{"counter beyond int64", `{"a_counter":9223372036854775808}`, `{"a_counter":18446744073709551615}`, `{"a_counter":18446744073709551615}`, `{"a_counter":18446744073709551615}`},
		{"set absent", `{}`, `{"a_set":["x"]}`, `{"a_set":["x"]}`, `{"a_set":["x"]}`},
		{"set absent, empty", `{}`, `{"a_set":[]}`, `{"a_set":[]}`, `{"a_set":[]}`},
		{"set: grown is the set as sent", `{"a_set":["x","y"]}`, `{"a_set":["y","z"]}`, `{"a_set":["x","y","z"]}`, `{"a_set":["y","z"]}`},
		{"set: into an empty one", `{"a_set":[]}`, `{"a_set":["y"]}`, `{"a_set":["y"]}`, `{"a_set":["y"]}`},
		{"set: nothing new", `{"a_set":["x","y","z"]}`, `{"a_set":["z","x"]}`, `{"a_set":["x","y","z"]}`, ``},
		{"set: empty", `{"a_set":["x"]}`, `{"a_set":[]}`, `{"a_set":["x"]}`, ``},
		{"register absent", `{}`, `{"a_register":[-1,null]}`, `{"a_register":[-1.0,null]}`, `{"a_register":[-1.0,null]}`},
		{"register newer", `{"a_register":[1,"x"]}`, `{"a_register":[2,"a"]}`, `{"a_register":[2.0,"a"]}`, `{"a_register":[2.0,"a"]}`},
		{"register older", `{"a_register":[2,"a"]}`, `{"a_register":[1,"x"]}`, `{"a_register":[2.0,"a"]}`, ``},
		{"register negative", `{"a_register":[-2,"a"]}`, `{"a_register":[-1,"x"]}`, `{"a_register":[-1.0,"x"]}`, `{"a_register":[-1.0,"x"]}`},
		{"register tie, same", `{"a_register":[2,"a"]}`, `{"a_register":[2.0,"a"]}`, `{"a_register":[2.0,"a"]}`, ``},
		{"register tie, same but for the text", `{"a_register":[2,{"a":1,"b":"x"}]}`, `{"a_register":[2,{"b":"\u0078","a":1.0}]}`, `{"a_register":[2.0,{"a":1,"b":"x"}]}`, ``},
		{"register tie, greater text", `{"a_register":[2,"a"]}`, `{"a_register":[2,"b"]}`, `{"a_register":[2.0,"b"]}`, `{"a_register":[2.0,"b"]}`},
		{"register tie, lower text", `{"a_register":[2,"b"]}`, `{"a_register":[2,"a"]}`, `{"a_register":[2.0,"b"]}`, ``},
		{"register: minus zero is zero", `{"a_register":[0,"b"]}`, `{"a_register":[-0.0,"b"]}`, `{"a_register":[0.0,"b"]}`, ``},
		{"only what grew", `{"a_counter":1,"b_counter":1,"d_set":["x"]}`, `{"a_counter":1,"b_counter":2,"c_counter":3,"d_set":["x"]}`, `{"a_counter":1,"b_counter":2,"c_counter":3,"d_set":["x"]}`, `{"b_counter":2,"c_counter":3}`},
		{"only what grew, with a gap", `{"a_counter":1,"b_counter":1,"c_counter":1,"e_counter":1}`, `{"a_counter":2,"b_counter":1,"c_counter":3,"d_counter":4,"e_counter":0,"f_set":[]}`, `{"a_counter":2,"b_counter":1,"c_counter":3,"d_counter":4,"e_counter":1,"f_set":[]}`, `{"a_counter":2,"c_counter":3,"d_counter":4,"f_set":[]}`},
		{"same name, other kind", `{"a_counter":1}`, `{"a_set":["x"]}`, `{"a_counter":1,"a_set":["x"]}`, `{"a_set":["x"]}`},
		{"end begins", `{}`, `{".end":5}`, `{".end":5}`, `{".end":5}`},
		{"end moves on", `{".end":4,"a_counter":1}`, `{".end":5,"a_counter":1}`, `{".end":5,"a_counter":1}`, `{".end":5}`},
		{"end is not shortened", `{".end":5}`, `{".end":4}`, `{".end":5}`, ``},
		{"no end does not shorten", `{".end":5}`, `{"a_counter":1}`, `{".end":5,"a_counter":1}`, `{"a_counter":1}`},
		{"higher generation replaces", `{".end":5,".gen":1,"a_counter":9,"b_counter":1}`, `{".gen":2,"a_counter":3}`, `{".gen":2,"a_counter":3}`, `{".gen":2,"a_counter":3}`},
		{"higher generation replaces by nothing", `{"a_counter":9}`, `{".gen":2}`, `{".gen":2}`, `{".gen":2}`},
		{"lower generation is over", `{".gen":2,"a_counter":3}`, `{".end":5,".gen":1,"a_counter":9,"b_counter":1}`, `{".gen":2,"a_counter":3}`, ``},
		{"same generation joins", `{".gen":2,"a_counter":3}`, `{".gen":2,"a_counter":4}`, `{".gen":2,"a_counter":4}`, `{".gen":2,"a_counter":4}`},
		{"nothing", `{"a_counter":3}`, `{}`, `{"a_counter":3}`, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, d := state(t, tt.old), state(t, tt.delta)
			old := s
			before := stored(d)
			grown, changed := s.Merge(&d)
			checkMerge(t, s, grown, changed, tt.after, tt.grown)
			if stored(old) != stored(state(t, tt.old)) || stored(d) != before {
				t.Errorf("a copy or the delta has changed: %s, %s", stored(old), stored(d))
			}
		})
	}
}

// checkMerge compares what a merge gave with the texts that were expected; no text for grown: nothing changed.
func checkMerge(t *testing.T, s, grown State, changed bool, after, grownText string) {
	t.Helper()
	if got := stored(s); got != after {
		t.Errorf("after: got %s, want %s", got, after)
	}
	if changed != (grownText != "") {
		t.Errorf("changed: %v", changed)
	}
	if got := stored(grown); changed && got != grownText {
		t.Errorf("grown: got %s, want %s", got, grownText)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	const now = 100
	for _, tt := range []struct{ name, old, update, after, grown string }{
		{"alive", `{".end":101,".gen":7,"a_counter":3}`, `{"a_counter":4}`, `{".end":101,".gen":7,"a_counter":4}`, `{".gen":7,"a_counter":4}`},
		{"alive, nothing new", `{".end":101,".gen":7,"a_counter":3}`, `{"a_counter":3}`, `{".end":101,".gen":7,"a_counter":3}`, ``},
		{"alive, end moves", `{".end":101,".gen":7}`, `{".end":200}`, `{".end":200,".gen":7}`, `{".end":200,".gen":7}`},
		{"the update's generation counts for nothing", `{"a_counter":3}`, `{".gen":9,"a_counter":2}`, `{"a_counter":3}`, ``},
		{"ended: begins again lower, without the rest", `{".end":100,"a_counter":3,"b_counter":1}`, `{"a_counter":1}`, `{".gen":100,"a_counter":1}`, `{".gen":100,"a_counter":1}`},
		{"ended: with a new end", `{".end":99,"a_counter":3}`, `{".end":300,"a_counter":1}`, `{".end":300,".gen":99,"a_counter":1}`, `{".end":300,".gen":99,"a_counter":1}`},
		{"ended: nothing written is a new life too", `{".end":99,"a_counter":3}`, `{}`, `{".gen":99}`, `{".gen":99}`},
		{"ended: the generation always grows", `{".end":50,".gen":50}`, `{"a_counter":1}`, `{".gen":51,"a_counter":1}`, `{".gen":51,"a_counter":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, d := state(t, tt.old), state(t, tt.update)
			elsewhere, late := s, s
			grown, changed := s.Apply(&d, now)
			checkMerge(t, s, grown, changed, tt.after, tt.grown)
			if elsewhere.Merge(&grown); stored(elsewhere) != tt.after {
				t.Errorf("merging %s elsewhere gives %s", stored(grown), stored(elsewhere))
			}
			told := s.For(&d)
			if late.Merge(&told); stored(late) != tt.after {
				t.Errorf("merging the update %s elsewhere gives %s", stored(told), stored(late))
			}
		})
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	kept := EndedKept.Milliseconds()
	for _, tt := range []struct {
		end, now         int64
		ended, droppable bool
	}{
		{0, 1 << 60, false, false},
		{100, 99, false, false},
		{100, 100, true, false},
		{100, 100 + kept - 1, true, false},
		{100, 100 + kept, true, true},
	} {
		s := State{End: tt.end}
		if s.Ended(tt.now) != tt.ended || s.Droppable(tt.now) != tt.droppable {
			t.Errorf("end %d at %d: ended %v, droppable %v", tt.end, tt.now, s.Ended(tt.now), s.Droppable(tt.now))
		}
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ s, hide, want string }{
		{`{".gen":3,"a_counter":1,"b_set":[],"c_register":[1,2]}`, `{"a_counter":7,"c_register":[0,0],"x_set":[]}`, `{".gen":3,"b_set":[]}`},
		{`{"a_counter":1}`, `{"a_set":[]}`, `{"a_counter":1}`},
		{`{"a_counter":1}`, `{}`, `{"a_counter":1}`},
		{`{"a_counter":1}`, `{"a_counter":1}`, `{}`},
	} {
		s, hide := state(t, tt.s), state(t, tt.hide)
		rest := s.Without(&hide)
		if stored(rest) != tt.want || rest.Empty() != (tt.want == "{}") {
			t.Errorf("%s without %s: %s, empty %v", tt.s, tt.hide, stored(rest), rest.Empty())
		}
		if stored(s) != stored(state(t, tt.s)) {
			t.Errorf("Without changed its receiver: %s", stored(s))
		}
	}
	s := state(t, `{"a_counter":1}`)
	if rest := s.Without(nil); stored(rest) != `{"a_counter":1}` {
		t.Errorf("without nil: %s", stored(rest))
	}
}
