package lattice

import "strconv"

// Names of what stands beside the variables in the stored form. No variable can be called so.
const (
	endName = ".end"
	genName = ".gen"
)

// AppendVars appends the variables as clients see them: {"size_counter":4,"mood_register":[12.0,"ok"]}.
func (s *State) AppendVars(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range s.vars {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = s.vars[i].append(dst)
	}
	return append(dst, '}')
}

// VarsLen is the length of what AppendVars appends.
func (s *State) VarsLen() int {
	n := len("{}") + max(0, len(s.vars)-1)
	for i := range s.vars {
		n += len(s.vars[i].name.Value()) + len(`"":`) + s.vars[i].value.length()
	}
	return n
}

func (v *variable) append(dst []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, v.name.Value()...)
	dst = append(dst, '"', ':')
	return v.value.Append(dst)
}

// AppendStored appends the whole state, which ParseState reads: the variables, and ".end" and ".gen" where they are
// not 0.
func (s *State) AppendStored(dst []byte) []byte {
	dst = append(dst, '{')
	n := len(dst)
	if s.End != 0 {
		dst = append(dst, `"`+endName+`":`...)
		dst = append(strconv.AppendInt(dst, s.End, 10), ',')
	}
	if s.Gen != 0 {
		dst = append(dst, `"`+genName+`":`...)
		dst = append(strconv.AppendUint(dst, s.Gen, 10), ',')
	}
	for i := range s.vars {
		dst = append(s.vars[i].append(dst), ',')
	}
	if len(dst) > n {
		dst = dst[:len(dst)-1]
	}
	return append(dst, '}')
}

// AppendVars appends the keys with their variables as clients see them, ended ones included: {"q:7":{…}}.
func (k *Keys) AppendVars(dst []byte) []byte { return k.append(dst, (*State).AppendVars) }

// AppendStored appends the keys with their whole states, which ParseKeys reads.
func (k *Keys) AppendStored(dst []byte) []byte { return k.append(dst, (*State).AppendStored) }

func (k *Keys) append(dst []byte, state func(*State, []byte) []byte) []byte {
	dst = append(dst, '{')
	for i := range k.list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, k.list[i].key...)
		dst = append(dst, '"', ':')
		dst = state(&k.list[i].state, dst)
	}
	return append(dst, '}')
}

// AppendVisible appends what a user sees of a key: the private variables overlaid with the shared ones, which replace
// those of the same name (protocol §8.4). Each may be nil.
func AppendVisible(dst []byte, private, shared *State) []byte {
	var p, s []variable
	if private != nil {
		p = private.vars
	}
	if shared != nil {
		s = shared.vars
	}
	dst = append(dst, '{')
	n := len(dst)
	for len(p) > 0 || len(s) > 0 {
		if len(dst) > n {
			dst = append(dst, ',')
		}
		c := 1
		switch {
		case len(s) == 0:
			c = -1
		case len(p) > 0:
			c = byName(p[0], s[0])
		}
		if c < 0 {
			dst = p[0].append(dst)
		} else {
			dst = s[0].append(dst)
			s = s[1:]
		}
		if c <= 0 {
			p = p[1:]
		}
	}
	return append(dst, '}')
}
