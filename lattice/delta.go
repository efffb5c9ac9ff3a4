package lattice

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
)

// Delta is an update of a namespace as a backend sends it (protocol §8.2). The ends in it are absolute, the
// generations are 0: it is to be applied, see State.Apply.
type Delta struct {
	// Shared is never nil after ParseDelta.
	Shared *Keys
	// Private is sorted by user. A user whose keys are none is listed too.
	Private []Private
}

// Private are the private keys of one user.
type Private struct {
	User names.UserID
	Keys Keys
}

// ParseDelta reads an update out of JSON text that jsontext.Check has passed; what it returns for other text is
// unspecified. now, in Unix milliseconds, is what expires_in counts from. One violation anywhere refuses all of it: the
// error wraps port.ErrMalformed, or port.ErrLimit where a bound of lim is exceeded. Nothing that it returns shares
// memory with data.
//
// The empty user id, which nobody can have (decision D5), is checked like the others and left out.
func ParseDelta(data []byte, now int64, lim Limits) (*Delta, error) {
	p := parser{now: now, lim: &lim}
	d := &Delta{Shared: &Keys{}}
	var shared, private bool
	err := members(data, "an update", func(name string, value jsontext.Value) (err error) {
		switch name {
		case "shared":
			if shared {
				return malformed("shared stands twice")
			}
			shared = true
			if value.Kind() != jsontext.Null {
				*d.Shared, err = p.shared(value)
			}
		case "private":
			if private {
				return malformed("private stands twice")
			}
			private = true
			if value.Kind() != jsontext.Null {
				d.Private, err = p.private(value)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (p *parser) shared(v jsontext.Value) (Keys, error) {
	keys, err := p.keys(v, "shared")
	if err == nil && keys.Len() > p.lim.MaxKeysPerNamespace {
		err = tooMuch("shared has %d keys, max-keys-per-namespace is %d", keys.Len(), p.lim.MaxKeysPerNamespace)
	}
	return keys, err
}

func (p *parser) private(v jsontext.Value) ([]Private, error) {
	var list []Private
	err := members(v, "private", func(name string, value jsontext.Value) error {
		var user names.UserID
		if name != "" {
			var err error
			if user, err = names.ParseUserID(name); err != nil {
				return malformed("private: %.50q: %v", name, err)
			}
		}
		keys, err := p.keys(value, "keys")
		if err == nil {
			err = keys.checkLen(p.lim)
		}
		if err != nil {
			return fmt.Errorf("private: %.50q: %w", name, err)
		}
		list = append(list, Private{user, keys})
		return nil
	})
	if err != nil {
		return nil, err
	}
	list = lastOf(list, func(a, b Private) int { return strings.Compare(string(a.User), string(b.User)) })
	if len(list) > 0 && list[0].User == "" {
		list = list[1:]
	}
	return slices.Clip(list), nil
}
