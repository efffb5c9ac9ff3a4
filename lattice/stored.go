package lattice

import "github.com/swindon-go/swindon/internal/jsontext"

// ParseState reads what State.AppendStored writes. It checks the text: errors wrap port.ErrMalformed. Nothing that it
// returns shares memory with data.
func ParseState(data []byte) (State, error) {
	if err := jsontext.Check(data); err != nil {
		return State{}, malformed("%v", err)
	}
	p := parser{stored: true}
	return p.state(jsontext.Trim(data))
}

// ParseKeys reads what Keys.AppendStored writes, or what clients see, as ParseState does.
func ParseKeys(data []byte) (Keys, error) {
	if err := jsontext.Check(data); err != nil {
		return Keys{}, malformed("%v", err)
	}
	p := parser{stored: true}
	return p.keys(jsontext.Trim(data), "a document")
}
