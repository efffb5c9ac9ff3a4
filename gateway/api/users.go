package api

import (
	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
)

// userList reads a checked body as an array of user ids (protocol §9.1). False: it is something else.
func userList(body []byte) ([]names.UserID, bool) {
	list, ok := jsontext.Strings(body)
	if !ok {
		return nil, false
	}
	users, err := names.ParseUserIDs(list)
	return users, err == nil
}
