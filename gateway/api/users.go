package api

import (
	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
)

// isUserList tells whether a checked body is an array of user ids; the empty id is legal in lists (protocol §9.1,
// decision D5).
func isUserList(body []byte) bool {
	if jsontext.Value(body).Kind() != jsontext.Array {
		return false
	}
	ok := true
	jsontext.Each(body, func(v jsontext.Value) bool {
		s, isString := jsontext.Unquote(v)
		if ok = isString; ok && s != "" {
			_, err := names.ParseUserID(s)
			ok = err == nil
		}
		return ok
	})
	return ok
}
