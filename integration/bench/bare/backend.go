package bare

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Hello is what the backends answer to an authorization: every connection is a user of its own unless its address ends with
// ?user=ID, and the client is told its connection id, so that the load generator can subscribe it.
type Hello struct {
	UserID       string `json:"user_id"`
	ConnectionID string `json:"connection_id"`
}

// Authorize makes the answer to the body of an authorization.
func Authorize(body []byte) (Hello, error) {
	var call [3]json.RawMessage
	var meta struct {
		ConnectionID string `json:"connection_id"`
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return Hello{}, err
	}
	if err := json.Unmarshal(call[0], &meta); err != nil {
		return Hello{}, err
	}
	var asked struct {
		Query string `json:"url_querystring"`
	}
	if err := json.Unmarshal(call[2], &asked); err != nil {
		return Hello{}, err
	}
	if user, found := strings.CutPrefix(asked.Query, "user="); found {
		return Hello{UserID: user, ConnectionID: meta.ConnectionID}, nil
	}
	number := meta.ConnectionID[strings.LastIndexByte(meta.ConnectionID, '-')+1:]
	return Hello{UserID: "user" + number, ConnectionID: meta.ConnectionID}, nil
}

// Answer is the reply to an RPC: the first positional argument.
func Answer(body []byte) ([]byte, error) {
	var call [3]json.RawMessage
	var args []json.RawMessage
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(call[1], &args); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return []byte("null"), nil
	}
	return args[0], nil
}

// Backend is the HTTP backend: it authorizes everyone, answers every other POST with its first argument and GET /1k with 1 KiB.
func Backend() http.Handler {
	kilobyte := []byte(strings.Repeat("0123456789abcdef", 64))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(kilobyte)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var reply []byte
		if strings.HasSuffix(r.URL.Path, "/authorize_connection") {
			hello, failed := Authorize(body)
			reply, _ = json.Marshal(hello)
			err = failed
		} else {
			reply, err = Answer(body)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
		_, _ = w.Write(reply)
	})
}
