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

	"github.com/swindon-go/swindon/examples/chat/internal/session"
)

// A failure is an answer with a status that the caller understands.
type failure struct {
	status  int
	message string
}

func (f failure) Error() string { return f.message }

// Config is what a backend needs to know.
type Config struct {
	// API is the address of a session pool's backend API, such as "http://127.0.0.1:8081". Host is the Host header of
	// requests to it, where that differs from the address.
	API, Host string
	// Secret signs the session cookies; it is the same for all backends.
	Secret string
}

type service struct {
	sessions *session.Keeper
	gateway  *gateway
	sent     *tally
	log      *slog.Logger
}

// NewHandler returns the backend.
func NewHandler(cfg Config, log *slog.Logger) http.Handler { return newHandler(cfg, newTally(), log) }

func newHandler(cfg Config, sent *tally, log *slog.Logger) http.Handler {
	s := &service{sessions: session.NewKeeper(cfg.Secret), gateway: newGateway(cfg.API, cfg.Host), sent: sent, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", s.health)
	mux.HandleFunc("POST /api/login", s.login)
	mux.HandleFunc("POST /api/logout", s.logout)
	mux.HandleFunc("GET /api/me", s.me)
	mux.HandleFunc("POST /swindon/authorize_connection", s.authorize)
	for method, f := range map[string]func(context.Context, *Call) (any, error){
		"enter": s.enter, "join": s.join, "send_message": s.sendMessage, "mark_read": s.markRead,
		"watch": s.watch, "here": s.here,
	} {
		mux.HandleFunc("POST /chat/"+method, s.call(f))
	}
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

// health answers when this instance serves.
func (s *service) health(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, struct{}{})
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
	// Each gateway's configuration names it in `override-host-header`: so the page can tell which node it is on.
	answer(w, http.StatusOK, map[string]string{"user_id": user, "node": r.Host})
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
