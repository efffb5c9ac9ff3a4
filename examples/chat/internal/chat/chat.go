// Package chat is the example's chat backend: a plain stateless HTTP service. Any number of them may run; none holds
// anything that another one needs.
//
// It serves what the browser asks through the proxy (/api/…), and what the gateway asks: the authorization of a
// connection and the calls chat.*.
package chat

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/swindon-go/swindon/examples/chat/internal/session"
)

// maxText is the longest message, in bytes.
const maxText = 8000

// Room is a place to talk.
type Room struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

var rooms = []Room{{"lobby", "Lobby"}, {"kitchen", "Kitchen"}, {"football", "Football"}}

var messageID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// Message is what is published to a room.
type Message struct {
	ID     string `json:"id"`
	Author string `json:"author"`
	Text   string `json:"text"`
	At     int64  `json:"at"` // Unix milliseconds
}

// A failure is an answer with a status that the caller understands.
type failure struct {
	status  int
	message string
}

func (f failure) Error() string { return f.message }

type service struct {
	sessions *session.Keeper
	gateway  *gateway
	log      *slog.Logger
}

// NewHandler returns the backend. api is the address of the session pool's backend API.
func NewHandler(api string, sessions *session.Keeper, log *slog.Logger) http.Handler {
	s := &service{sessions: sessions, gateway: newGateway(api), log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/login", s.login)
	mux.HandleFunc("POST /api/logout", s.logout)
	mux.HandleFunc("GET /api/me", s.me)
	mux.HandleFunc("GET /api/rooms", s.listRooms)
	mux.HandleFunc("POST /swindon/authorize_connection", s.authorize)
	mux.HandleFunc("POST /chat/join", s.call(s.join))
	mux.HandleFunc("POST /chat/leave", s.call(s.leave))
	mux.HandleFunc("POST /chat/send_message", s.call(s.sendMessage))
	return mux
}

func (s *service) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name string `json:"name"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1000)).Decode(&in); err != nil {
		s.fail(w, failure{http.StatusBadRequest, "bad request"})
		return
	}
	if err := session.CheckName(in.Name); err != nil {
		s.fail(w, failure{http.StatusUnprocessableEntity, err.Error()})
		return
	}
	http.SetCookie(w, s.sessions.Issue(in.Name))
	answer(w, http.StatusOK, map[string]string{"user_id": in.Name})
}

func (s *service) logout(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, s.sessions.Issue(""))
	answer(w, http.StatusOK, struct{}{})
}

func (s *service) me(w http.ResponseWriter, r *http.Request) {
	user, err := s.sessions.User(r.Header.Get("Cookie"))
	if err != nil {
		s.fail(w, failure{http.StatusUnauthorized, err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]string{"user_id": user})
}

func (s *service) listRooms(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string][]Room{"rooms": rooms})
}

// authorize says who a new websocket connection belongs to. The object becomes the browser's `hello`.
func (s *service) authorize(w http.ResponseWriter, r *http.Request) {
	// The body is [meta, [], {"http_cookie": …}]; the third element has what we need.
	var in struct {
		Cookie string `json:"http_cookie"`
	}
	var body []json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body) != 3 || json.Unmarshal(body[2], &in) != nil {
		s.fail(w, failure{http.StatusBadRequest, "bad request"})
		return
	}
	user, err := s.sessions.User(in.Cookie)
	if err != nil {
		s.fail(w, failure{http.StatusUnauthorized, err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]string{"user_id": user})
}

func (s *service) join(ctx context.Context, c *Call) (any, error) {
	room, err := roomOf(c)
	if err != nil {
		return nil, err
	}
	if err := s.gateway.subscribe(ctx, c.Meta.ConnectionID, "rooms/"+room.Name); err != nil {
		return nil, err
	}
	return room, nil
}

func (s *service) leave(ctx context.Context, c *Call) (any, error) {
	room, err := roomOf(c)
	if err != nil {
		return nil, err
	}
	return room, s.gateway.unsubscribe(ctx, c.Meta.ConnectionID, "rooms/"+room.Name)
}

func (s *service) sendMessage(ctx context.Context, c *Call) (any, error) {
	room, err := roomOf(c)
	if err != nil {
		return nil, err
	}
	var text string
	if len(c.Args) != 2 || json.Unmarshal(c.Args[1], &text) != nil || text == "" || len(text) > maxText {
		return nil, failure{http.StatusUnprocessableEntity, "a message has 1 to 8000 bytes"}
	}
	var opt struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(c.Kwargs, &opt); err != nil || !messageID.MatchString(opt.ID) {
		return nil, failure{http.StatusUnprocessableEntity, "a message needs an id"}
	}
	m := Message{ID: opt.ID, Author: c.User, Text: text, At: time.Now().UnixMilli()}
	if err := s.gateway.publish(ctx, "rooms/"+room.Name, m); err != nil {
		return nil, err
	}
	return m, nil
}

func roomOf(c *Call) (Room, error) {
	var name string
	if len(c.Args) == 0 || json.Unmarshal(c.Args[0], &name) != nil {
		return Room{}, failure{http.StatusUnprocessableEntity, "which room?"}
	}
	for _, r := range rooms {
		if r.Name == name {
			return r, nil
		}
	}
	return Room{}, failure{http.StatusNotFound, "there is no such room"}
}

func (s *service) fail(w http.ResponseWriter, err error) {
	var f failure
	if !errors.As(err, &f) {
		s.log.Warn("Request failed", "err", err)
		f = failure{http.StatusServiceUnavailable, "try again"}
	}
	answer(w, f.status, map[string]string{"message": f.message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
