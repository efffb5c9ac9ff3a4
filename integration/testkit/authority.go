package testkit

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Notice is one session_inactive request as the backend got it.
type Notice struct {
	User, RequestID string
	At              time.Time
	Answered        int // the status; 0: none
}

// Authority is a backend that lets everybody in as the user that the cookie names (user=ann; visit=7), notes who was reported
// inactive, and answers all other calls with their own path and arguments.
type Authority struct {
	*Backend

	mu      sync.Mutex // guards what follows
	notices []Notice
	visits  map[string]string // visit → connection id
	answer  func(Notice) int
	changed chan struct{} // closed and replaced when something is noted
	hold    chan struct{} // while set: authorizations wait until it is closed
}

func newAuthority(b *Backend) *Authority {
	a := &Authority{Backend: b, visits: make(map[string]string), changed: make(chan struct{})}
	b.Handle(a.serve)
	return a
}

// AnswerNotices lets a function choose the status that a notice is answered with; 0 drops the connection. nil: all 200.
func (a *Authority) AnswerNotices(f func(Notice) int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = f
}

// Hold makes authorizations wait until the returned function is called.
func (a *Authority) Hold() (release func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	hold := make(chan struct{})
	a.hold = hold
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.hold = nil
		close(hold)
	})
}

// Notices are those of one user so far, of all with an empty name.
func (a *Authority) Notices(user string) []Notice {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []Notice
	for _, n := range a.notices {
		if user == "" || n.User == user {
			found = append(found, n)
		}
	}
	return found
}

// connectionID waits until the authorization of a visit has come.
func (a *Authority) connectionID(visit string, patience time.Duration) (string, bool) {
	late := time.After(patience)
	for {
		a.mu.Lock()
		id, ok := a.visits[visit]
		changed := a.changed
		a.mu.Unlock()
		if ok {
			return id, true
		}
		select {
		case <-changed:
		case <-late:
			return "", false
		}
	}
}

func (a *Authority) serve(r *Request) {
	switch {
	case strings.HasSuffix(r.Target, "/authorize_connection"):
		a.authorize(r)
	case strings.HasSuffix(r.Target, "/session_inactive"):
		a.inactive(r)
	default:
		r.JSON(`{"path":"` + r.Target + `"}`)
	}
}

func (a *Authority) authorize(r *Request) {
	var body [3]json.RawMessage
	var meta struct {
		ID string `json:"connection_id"`
	}
	var kwargs struct {
		Cookie string `json:"http_cookie"`
	}
	if json.Unmarshal([]byte(r.Body), &body) != nil || json.Unmarshal(body[0], &meta) != nil || json.Unmarshal(body[2], &kwargs) != nil {
		r.Reply(http.StatusInternalServerError, "")
		return
	}
	cookies, err := http.ParseCookie(kwargs.Cookie)
	if err != nil {
		r.Reply(http.StatusForbidden, "")
		return
	}
	values := make(map[string]string)
	for _, c := range cookies {
		values[c.Name] = c.Value
	}
	a.mu.Lock()
	a.visits[values["visit"]] = meta.ID
	hold := a.hold
	a.note()
	a.mu.Unlock()
	if hold != nil {
		<-hold
	}
	user, _ := json.Marshal(values["user"])
	r.JSON(`{"user_id":` + string(user) + `}`)
}

func (a *Authority) inactive(r *Request) {
	_, credentials, _ := strings.Cut(r.Get("Authorization"), " ")
	if credentials == "" {
		credentials = r.Get("Authorization")
	}
	text, _ := base64.StdEncoding.DecodeString(credentials)
	var who struct {
		User string `json:"user_id"`
	}
	_ = json.Unmarshal(text, &who)
	n := Notice{User: who.User, RequestID: r.Get("X-Request-Id"), At: time.Now(), Answered: http.StatusOK}
	a.mu.Lock()
	answer := a.answer
	a.mu.Unlock()
	if answer != nil {
		n.Answered = answer(n)
	}
	a.mu.Lock()
	a.notices = append(a.notices, n)
	a.note()
	a.mu.Unlock()
	if n.Answered == 0 {
		r.Drop()
		return
	}
	r.Reply(n.Answered, "")
}

// note wakes those who wait. The caller holds the lock.
func (a *Authority) note() {
	close(a.changed)
	a.changed = make(chan struct{})
}
