package chat

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// Call is one call of a browser as the gateway hands it on: the body is [meta, args, kwargs], and the Authorization
// header says whose it is.
type Call struct {
	User   string
	Meta   Meta
	Args   []json.RawMessage
	Kwargs json.RawMessage
}

// Meta is what the example reads of a call's metadata.
type Meta struct {
	ConnectionID string `json:"connection_id"`
}

// call turns a function into an HTTP handler: its value becomes the browser's result, its error a status.
func (s *service) call(f func(context.Context, *Call) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := readCall(r)
		if err != nil {
			s.fail(w, err)
			return
		}
		v, err := f(r.Context(), c)
		if err != nil {
			s.fail(w, err)
			return
		}
		answer(w, http.StatusOK, v)
	}
}

func readCall(r *http.Request) (*Call, error) {
	user, err := UserOf(r.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	var body []json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body) != 3 {
		return nil, failure{http.StatusBadRequest, "bad request"}
	}
	c := &Call{User: user, Kwargs: body[2]}
	if json.Unmarshal(body[0], &c.Meta) != nil || json.Unmarshal(body[1], &c.Args) != nil {
		return nil, failure{http.StatusBadRequest, "bad request"}
	}
	return c, nil
}

// UserOf reads the user out of the header by which the gateway says whose call it is: "Swindon+json BASE64".
func UserOf(header string) (string, error) {
	b64, ok := strings.CutPrefix(header, "Swindon+json ")
	raw, err := base64.StdEncoding.DecodeString(b64)
	var in struct {
		UserID string `json:"user_id"`
	}
	if !ok || err != nil || json.Unmarshal(raw, &in) != nil || in.UserID == "" {
		return "", failure{http.StatusUnauthorized, "not signed in"}
	}
	return in.UserID, nil
}
