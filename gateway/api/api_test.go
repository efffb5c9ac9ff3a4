package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/swindon-go/swindon/internal/memnet"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakePool notes what it is asked and answers with err.
type fakePool struct {
	err   error
	calls []string
}

func (p *fakePool) Subscribe(_ context.Context, id names.ConnID, t names.Topic) error {
	p.calls = append(p.calls, fmt.Sprintf("sub %d %s", id.N, t))
	return p.err
}

func (p *fakePool) Unsubscribe(_ context.Context, id names.ConnID, t names.Topic) error {
	p.calls = append(p.calls, fmt.Sprintf("unsub %d %s", id.N, t))
	return p.err
}

func (p *fakePool) Publish(_ context.Context, t names.Topic, data []byte) error {
	p.calls = append(p.calls, fmt.Sprintf("pub %s %s", t, data))
	return p.err
}

func (p *fakePool) AttachLattice(_ context.Context, id names.ConnID, ns names.Namespace, d *lattice.Delta) error {
	p.calls = append(p.calls, fmt.Sprintf("attach %d %s %s", id.N, ns, d.Shared.AppendVars(nil)))
	return p.err
}

func (p *fakePool) DetachLattice(_ context.Context, id names.ConnID, ns names.Namespace) error {
	p.calls = append(p.calls, fmt.Sprintf("detach %d %s", id.N, ns))
	return p.err
}

func (p *fakePool) UpdateLattice(_ context.Context, ns names.Namespace, d *lattice.Delta) error {
	p.calls = append(p.calls, fmt.Sprintf("update %s %s", ns, d.Shared.AppendVars(nil)))
	return p.err
}

func (p *fakePool) WatchUsers(_ context.Context, id names.ConnID, users []names.UserID) error {
	p.calls = append(p.calls, fmt.Sprintf("watch %d %v", id.N, users))
	return p.err
}

func (p *fakePool) UnwatchUsers(_ context.Context, id names.ConnID) error {
	p.calls = append(p.calls, fmt.Sprintf("unwatch %d", id.N))
	return p.err
}

func (p *fakePool) UpdateUsers(_ context.Context, user names.UserID, users []names.UserID) error {
	p.calls = append(p.calls, fmt.Sprintf("users of %s %v", user, users))
	return p.err
}

func (p *fakePool) Weak() bool { return false }

func newAPI(p Pool) *Handler {
	s := Settings{MaxPayloadSize: 1000, Limits: lattice.DefaultLimits()}
	return NewHandler(p, func() Settings { return s }, slog.New(slog.DiscardHandler))
}

// TestStatuses holds the one table from errors to statuses.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
	}{
		{nil, 204},
		{errBadBody, 400},
		{port.ErrLimit, 400},
		{port.ErrMalformed, 400},
		{port.ErrTooLarge, 413},
		{port.ErrStoreFull, 507},
		{port.ErrUnavailable, 503},
		{port.ErrTimeout, 503},
		{errors.New("other"), 500},
	} {
		err := tt.err
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		if got := statusOf(err); got != tt.status {
			t.Errorf("%v is %d, want %d", tt.err, got, tt.status)
		}
	}
}

// TestOverTheWire speaks HTTP to the API on one connection: whatever was wrong, the next request works. Errors carry a
// length of zero and nothing else, and net/http neither cleans paths nor answers by itself.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &fakePool{}
		l := memnet.Listen(0)
		srv := &http.Server{Handler: newAPI(p), DisableGeneralOptionsHandler: true}
		go func() { _ = srv.Serve(l) }()
		defer srv.Close()
		nc, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		r := bufio.NewReader(nc)
		id := strings.Repeat("a", 32) + "-5"
		const js = "Content-Type: application/json\r\n"
		for _, tt := range []struct {
			request, want string
		}{
			{"PUT /v1/connection/" + id + "/subscriptions/a/b HTTP/1.1\r\nHost: x\r\n\r\n", "204"},
			{"PUT /v1//connection/" + id + "/subscriptions/a HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
			{"HEAD /v1/publish/t HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
			{"UPDATE /v1/publish/t HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "404"},
			{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
			{"POST /v1/publish/t HTTP/1.1\r\nHost: x\r\n" + js + "Content-Length: 7\r\n\r\n{\"a\":1}", "204"},
			{"POST /v1/publish/t/ HTTP/1.1\r\nHost: x\r\n" + js + "Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n", "204"},
			{"POST /v1/publish/t HTTP/1.1\r\nHost: x\r\n" + js + "Content-Length: 1\r\n\r\n{", "400"},
			{"DELETE /v1/connection/" + id + "/subscriptions/a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "400"},
			{"DELETE /v1/connection/" + id + "/subscriptions/a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "204"},
			{"POST /v1/publish/t HTTP/1.1\r\nHost: x\r\n" + js + "Content-Length: 1001\r\n\r\n" + strings.Repeat("1", 1001), "413"},
			{"POST /v1/publish/t HTTP/1.1\r\nHost: x\r\n" + js + "Content-Length: 1\r\n\r\n7", "204"},
			{"PUT /v1/connection/" + id + "/lattices/a/b HTTP/1.1\r\nHost: x\r\n" + js + "Content-Length: 32\r\n\r\n{\"shared\":{\"k\":{\"n_counter\":7}}}", "204"},
			{"DELETE /v1/connection/" + id + "/lattices/a/b HTTP/1.1\r\nHost: x\r\n\r\n", "204"},
			{"POST /v1/lattice/a/b HTTP/1.1\r\nHost: x\r\n" + js + "Content-Length: 2\r\n\r\n{}", "204"},
			{"PUT /v1/connection/" + id + "/users HTTP/1.1\r\nHost: x\r\n" + js + "Content-Length: 8\r\n\r\n[\"u\",\"\"]", "204"},
			{"DELETE /v1/connection/" + id + "/users/x HTTP/1.1\r\nHost: x\r\n\r\n", "204"},
			{"PUT /v1/user/u/users HTTP/1.1\r\nHost: x\r\n" + js + "Content-Length: 2\r\n\r\n[]", "204"},
		} {
			if _, err := io.WriteString(nc, tt.request); err != nil {
				t.Fatalf("%q: %v", tt.request, err)
			}
			method, _, _ := strings.Cut(tt.request, " ")
			resp, err := http.ReadResponse(r, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%q: %v", tt.request, err)
			}
			body, err := io.ReadAll(resp.Body)
			if got := resp.Status[:3]; got != tt.want || err != nil || len(body) > 0 {
				t.Errorf("%q: %s %q %v, want %s", tt.request, got, body, err, tt.want)
			}
			if resp.StatusCode >= 400 && (resp.Header.Get("Content-Length") != "0" || resp.Header.Get("Content-Type") != "") {
				t.Errorf("%q: head %v", tt.request, resp.Header)
			}
		}
		want := []string{
			"sub 5 a.b", `pub t {"a":1}`, "pub t. [1,2]", "unsub 5 a.b", "pub t 7",
			`attach 5 a.b {"k":{"n_counter":7}}`, "detach 5 a.b", "update a.b {}", "watch 5 [u ]", "unwatch 5", "users of u []",
		}
		if got := strings.Join(p.calls, "|"); got != strings.Join(want, "|") {
			t.Errorf("the session pool was asked %q", got)
		}
	})
}

// TestBrokenBody sees that a body that ends early reaches nobody.
func TestBrokenBody(t *testing.T) {
	t.Parallel()
	p := &fakePool{}
	r := httptest.NewRequest(http.MethodPost, "/v1/publish/t", io.MultiReader(strings.NewReader("1"), broken{}))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	newAPI(p).ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || len(p.calls) > 0 {
		t.Errorf("status %d, calls %q", w.Code, p.calls)
	}
}

// TestSilentBody: who announces a body and does not send it is cut off after a while, also when the answer did not need
// it; one that comes late but in time is no reason to.
func TestSilentBody(t *testing.T) {
	t.Parallel()
	for path, status := range map[string]string{"/v1/publish/t": "400", "/v1/nothing": "404"} {
		synctest.Test(t, func(t *testing.T) {
			p := &fakePool{}
			l := memnet.Listen(0)
			srv := &http.Server{Handler: newAPI(p)}
			go func() { _ = srv.Serve(l) }()
			defer srv.Close()
			nc, err := l.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(nc)
			exchange := func(head, body string, late time.Duration) string {
				fmt.Fprint(nc, head)
				time.Sleep(late)
				fmt.Fprint(nc, body)
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				return resp.Status[:3]
			}
			const post = " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
			for range 3 { // nothing of a request's limit is left for the next
				if got := exchange("POST /v1/publish/t"+post, "[]", bodyTimeout-time.Second); got != "204" {
					t.Errorf("late body: %s", got)
				}
			}
			time.Sleep(time.Hour)
			if got := exchange("POST "+path+post, "[", 0); got != status {
				t.Errorf("%s: %s, want %s", path, got, status)
			}
			start := time.Now()
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("%s: %v, want EOF", path, err)
			}
			if waited := time.Since(start); waited > bodyTimeout {
				t.Errorf("%s: cut after %v", path, waited)
			}
			if len(p.calls) != 3 {
				t.Errorf("calls %q", p.calls)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// FuzzRoute checks that whatever is routed holds names that have passed their parsers, and that only the listed methods
// lead anywhere.
func FuzzRoute(f *testing.F) {
	id := strings.Repeat("a", 32) + "-5"
	for _, target := range []string{
		"/v1/publish/a/b", "/v1/lattice/a", "/v1/user/u/users", "/v1/connection/" + id + "/subscriptions/t",
		"/v1/connection/" + id + "/lattices/swindon/x", "/v1/connection/" + id + "/users/x", "/v1/user//users", "*",
	} {
		for _, m := range []string{"PUT", "POST", "DELETE", "XXX"} {
			f.Add(m, target)
		}
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		r := route(method, target)
		if r.status != 0 {
			if r.status != 404 && r.status != 403 {
				t.Fatalf("route(%q, %q) = %d", method, target, r.status)
			}
			return
		}
		switch method {
		case "PUT", "POST", "DELETE":
		default:
			t.Fatalf("route(%q, %q) leads to %d", method, target, r.endpoint)
		}
		if r.topic != "" {
			if _, err := names.ParseTopic(string(r.topic)); err != nil {
				t.Fatalf("route(%q, %q): topic %q", method, target, r.topic)
			}
		}
		if strings.HasPrefix(string(r.namespace), "swindon.") {
			t.Fatalf("route(%q, %q): namespace %q", method, target, r.namespace)
		}
		if r.conn.Node != "" {
			if _, err := names.ParseConnID(r.conn.String()); err != nil {
				t.Fatalf("route(%q, %q): connection %v", method, target, r.conn)
			}
		}
		if r.endpoint < subscribe || r.endpoint > usersUpdate {
			t.Fatalf("route(%q, %q) = endpoint %d", method, target, r.endpoint)
		}
	})
}
