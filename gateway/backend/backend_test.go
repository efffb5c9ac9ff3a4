package backend

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// destFunc is an HTTPDestination.
type destFunc func(context.Context, *port.Call) (port.Reply, error)

func (f destFunc) Call(ctx context.Context, c *port.Call) (port.Reply, error) { return f(ctx, c) }

// requestFunc is a Requester.
type requestFunc func(context.Context, port.Message) (port.Message, error)

func (f requestFunc) Request(ctx context.Context, lane port.Lane, m port.Message) (port.Message, error) {
	if lane != port.LaneCalls {
		return port.Message{}, errors.New("wrong lane")
	}
	return f(ctx, m)
}

func (requestFunc) NextRequest(port.Lane) uint64 { return 1 }

func (requestFunc) Cancel(port.Lane, uint64) {}

func (f requestFunc) Start(lane port.Lane, _ uint64, m port.Message, _ time.Time, done func(port.Message, error)) error {
	if lane != port.LaneCalls {
		return errors.New("wrong lane")
	}
	reply, err := f(context.Background(), m)
	if errors.Is(err, port.ErrTooLarge) || errors.Is(err, port.ErrUnavailable) {
		return err
	}
	go done(reply, err)
	return nil
}

// answers is a Waiter.
type answers chan Answer

func (answers) Begin(Flight) {}

func (w answers) Answered(a Answer) { w <- a }

// call makes a call and waits for its result.
func (c *Caller) call(t *testing.T, ctx context.Context, q *CallRequest) Result {
	t.Helper()
	answer := make(answers, 1)
	r, ended := c.Call(ctx, names.Destination{Name: "d", Path: "/"}, LevelLatest, q, answer)
	if !ended {
		r = (<-answer).Result(ctx, nil)
	}
	return r
}

var conn = names.ConnID{Node: "0123456789abcdefghijklmnopqrstuv", N: 7}

func caller(t *testing.T, d Destination) *Caller {
	t.Helper()
	space, err := names.NewSpace("sw", "main")
	if err != nil {
		t.Fatal(err)
	}
	return NewCaller(space, func(name string) (Destination, bool) { return d, name == "d" })
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		level                 Level
		scheme, call, path    string
		weak, needsSubprotcol bool
	}{
		{LevelOld5, "Tangle ", "tangle.x", "/tangle/x", true, false},
		{LevelOld6, "Tangle ", "tangle.x", "/tangle/x", true, true},
		{LevelLatest, "Swindon+json ", "swindon.x", "/swindon/x", false, true},
	} {
		l := tt.level
		if l.Scheme() != tt.scheme || l.Reserved("x") != tt.call || l.path("x") != tt.path || l.Weak() != tt.weak ||
			l.NeedsSubprotocol() != tt.needsSubprotcol {
			t.Errorf("level %v is not as specified", l)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	if got, want := Credentials("ann"), "eyJ1c2VyX2lkIjoiYW5uIn0="; got != want {
		t.Errorf("Credentials = %s, want %s", got, want)
	}
}

// TestAuthBody sees what a backend is asked, with bytes in the headers that are neither UTF-8 nor harmless.
func TestAuthBody(t *testing.T) {
	t.Parallel()
	q := &AuthRequest{
		Conn: conn, Cookie: Text{"a=\xff\"\\\n\x00ü", true}, Query: `x="1"&y=%20`,
		Headers: []Header{{"A", Text{}}, {`"`, Text{"\xfe", true}}}, RemoteAddr: "::1",
	}
	var got any
	if err := json.Unmarshal(q.append(nil), &got); err != nil {
		t.Fatal(err)
	}
	want := []any{
		map[string]any{"connection_id": conn.String()},
		[]any{},
		map[string]any{
			"http_cookie": "a=\ufffd\"\\\n\x00ü", "http_authorization": nil, "url_querystring": `x="1"&y=%20`,
			"http_headers": map[string]any{"A": nil, `"`: "\ufffd"}, "remote_addr": "::1",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// TestLeavingIsTheCause sees that a call which ends with its client says so, whatever the destination says.
func TestLeavingIsTheCause(t *testing.T) {
	t.Parallel()
	left := errors.New("client has left")
	d := Destination{HTTP: destFunc(func(ctx context.Context, _ *port.Call) (port.Reply, error) {
		<-ctx.Done()
		return port.Reply{}, errors.New("connection cut")
	})}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(left)
	r := caller(t, d).call(t, ctx, &CallRequest{Method: "m", Conn: conn})
	if !errors.Is(r.Cause, left) {
		t.Errorf("cause of the call: %v", r.Cause)
	}
	_, refusal := caller(t, d).Authorize(ctx, names.Destination{Name: "d", Path: "/"}, LevelLatest, &AuthRequest{Conn: conn})
	if refusal == nil || !errors.Is(refusal.Cause, left) {
		t.Errorf("refusal: %+v", refusal)
	}
}

// TestTooLarge tells a request that NATS does not carry from a reply that is too large (decision D18).
func TestTooLarge(t *testing.T) {
	t.Parallel()
	n := NewNATS("d", DefaultNATSConfig(), requestFunc(func(context.Context, port.Message) (port.Message, error) {
		return port.Message{}, port.ErrTooLarge
	}))
	q := &CallRequest{Method: "m", Conn: conn, Authorization: LevelLatest.Scheme() + "x"}
	r := caller(t, Destination{NATS: n}).call(t, t.Context(), q)
	if r.Kind != KindHTTPError || r.Status != 413 || string(r.Data) != "null" {
		t.Errorf("a request that is too large for NATS: %+v", r)
	}
	d := Destination{HTTP: destFunc(func(context.Context, *port.Call) (port.Reply, error) {
		return port.Reply{}, port.ErrTooLarge
	})}
	if r = caller(t, d).call(t, t.Context(), q); r.Status != 500 {
		t.Errorf("a reply that is too large: %+v", r)
	}
	if n.InFlight() != 0 {
		t.Errorf("%d requests are in flight", n.InFlight())
	}
}

// TestRetryTimes sees when a NATS destination tries again, and with which headers.
func TestRetryTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []int64 // milliseconds
		var attempts []string
		cfg := DefaultNATSConfig()
		cfg.NoRespondersTimeout = 300 * time.Millisecond
		n := NewNATS("d", cfg, requestFunc(func(_ context.Context, m port.Message) (port.Message, error) {
			at = append(at, time.Since(start).Milliseconds())
			attempts = append(attempts, m.Header.Get(port.HeaderAttempt))
			return port.Message{}, port.ErrNoResponders
		}))
		r := caller(t, Destination{NATS: n}).call(t, t.Context(),
			&CallRequest{Method: "m", Conn: conn, RequestID: "1"})
		if r.Kind != KindHTTPError || r.Status != 503 || !errors.Is(r.Cause, port.ErrNoResponders) {
			t.Errorf("result %+v", r)
		}
		if diff := cmp.Diff([]int64{0, 10, 30, 70, 150, 250, 300}, at); diff != "" {
			t.Errorf("attempts at (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5", "6", "7"}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
	})
}

// TestServiceErrors covers what services may put into the two headers.
func TestServiceErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code, text string
		status     int
		failed     bool
	}{
		{"", "", 0, false},
		{"", "boom", 500, true},
		{"400", "", 400, true},
		{"599", "", 599, true},
		{"399", "", 500, true},
		{"600", "", 500, true},
		{"-1", "", 500, true},
		{"4x", "", 500, true},
		{"99999999999999999999", "", 500, true},
	} {
		h := port.Header{}
		if tt.code != "" {
			h[port.HeaderErrorCode] = []string{tt.code}
		}
		if tt.text != "" {
			h[port.HeaderError] = []string{tt.text}
		}
		status, failed := serviceError(port.Message{Header: h})
		if status != tt.status || failed != tt.failed {
			t.Errorf("code %q, text %q: %d %v, want %d %v", tt.code, tt.text, status, failed, tt.status, tt.failed)
		}
	}
}

func TestReplyKindsAreNamed(t *testing.T) {
	t.Parallel()
	want := map[Kind]string{
		KindOK: "ok", KindHTTPError: "http_error", KindDataError: "data_error", KindInternalError: "internal_error", 0: "unknown",
	}
	for k, name := range want {
		if k.String() != name {
			t.Errorf("kind %d is %q, want %q", k, k, name)
		}
	}
}

// FuzzReplies gives replies of any status and body their meaning: data is always JSON, and a body reaches a client that
// is not authorized only with the statuses that are known for it.
func FuzzReplies(f *testing.F) {
	f.Add(200, []byte(`{"user_id":"ann"}`), true)
	f.Add(200, []byte(`[not a valid json`), true)
	f.Add(402, []byte(`{"secret":1}`), true)
	f.Add(403, []byte(` {"why":1} `), false)
	f.Fuzz(func(t *testing.T, status int, body []byte, isJSON bool) {
		r := meaning(status, body, isJSON)
		if !json.Valid(r.Data) {
			t.Fatalf("meaning(%d, %q): data %q", status, body, r.Data)
		}
		if (r.Kind == KindOK) != (status == http.StatusOK && isJSON && r.Cause == nil) {
			t.Fatalf("meaning(%d, %q) = %v", status, body, r.Kind)
		}
		who, refusal := judge(status, body, isJSON)
		if refusal == nil {
			if _, err := names.ParseUserID(string(who.User)); err != nil || status != 200 || !json.Valid(who.Hello) {
				t.Fatalf("judge(%d, %q) let %q in", status, body, who.User)
			}
			return
		}
		switch refusal.Status {
		case 400, 401, 403, 404, 410, 500, 503:
		default:
			t.Fatalf("judge(%d, %q) refuses with %d", status, body, refusal.Status)
		}
		if string(refusal.Data) != "null" && (status != refusal.Status || !json.Valid(refusal.Data)) {
			t.Fatalf("judge(%d, %q) tells the client %q", status, body, refusal.Data)
		}
	})
}
