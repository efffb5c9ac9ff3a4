package api

import (
	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
)

// userList reads a checked body as an array of user ids; the empty id is legal in lists (protocol §9.1, decision D5).
// False: it is something else.
func userList(body []byte) ([]names.UserID, bool) {
	if jsontext.Value(body).Kind() != jsontext.Array {
		return nil, false
	}
	list, ok := []names.UserID{}, true
	jsontext.Each(body, func(v jsontext.Value) bool {
		s, isString := jsontext.Unquote(v)
		if ok = isString; ok && s != "" {
			_, err := names.ParseUserID(s)
			ok = err == nil
		}
		list = append(list, names.UserID(s))
		return ok
	})
	return list, ok
}
