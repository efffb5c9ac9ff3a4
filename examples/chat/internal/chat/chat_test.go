package chat

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/examples/chat/internal/session"
)

const conn = "AZzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-7"

// api is a gateway that notes what it is asked, and refuses what it is told to.
type api struct {
	mu     sync.Mutex // guards what follows
	asked  []string
	refuse []int // the next answers; afterwards 204
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.Host+" "+r.Method+" "+r.URL.Path+" "+string(body))
	status := http.StatusNoContent
	if len(a.refuse) > 0 {
		status, a.refuse = a.refuse[0], a.refuse[1:]
	}
	w.WriteHeader(status)
}

// want compares what the gateway was asked since the last time.
func (a *api) want(t *testing.T, want ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := cmp.Diff(want, a.asked); d != "" {
		t.Errorf("the gateway was asked (-want +got):\n%s", d)
	}
	a.asked = nil
}

// backend starts the service beside a gateway, which may begin with refusals.
func backend(t *testing.T, refuse ...int) (*httptest.Server, *api) {
	t.Helper()
	a := &api{refuse: refuse}
	gw := httptest.NewServer(a)
	t.Cleanup(gw.Close)
	h := newHandler(Config{API: gw.URL, Host: "gw", Secret: "k"}, &tally{variable: "sent_me_counter", rooms: map[string]uint64{}}, slog.New(slog.DiscardHandler))
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s, a
}

func post(t *testing.T, url, user, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.Header.Set("Authorization", "Swindon+json "+base64.StdEncoding.EncodeToString([]byte(`{"user_id":"`+user+`"}`)))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(out)
}

const meta = `{"request_id":1,"connection_id":"` + conn + `"}`

// call makes a call of ann's and wants a result that holds a text.
func call(t *testing.T, s *httptest.Server, method, rest, want string) {
	t.Helper()
	if code, out := post(t, s.URL+"/chat/"+method, "ann", `[`+meta+`,`+rest+`]`); code != 200 || !strings.Contains(out, want) {
		t.Errorf("%s: %d %s", method, code, out)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	s, a := backend(t)
	for _, c := range []struct {
		method, rest, result, asked string
	}{
		{"enter", `[],{}`, "true", "PUT /v1/connection/" + conn + `/lattices/chat/rooms {"shared":{` +
			`"football":{"info_register":[1,{"title":"Football","place":3}],"people_set":["ann"]},` +
			`"kitchen":{"info_register":[1,{"title":"Kitchen","place":2}],"people_set":["ann"]},` +
			`"lobby":{"info_register":[1,{"title":"Lobby","place":1}],"people_set":["ann"]}},` +
			`"private":{"ann":{"football":{},"kitchen":{},"lobby":{}}}}`},
		{"join", `["lobby"],{}`, "true", "PUT /v1/connection/" + conn + "/subscriptions/rooms/lobby "},
		{"mark_read", `["kitchen",7],{}`, "true", `POST /v1/lattice/chat/rooms {"private":{"ann":{"kitchen":{"read_counter":7}}}}`},
		{"watch", `[["bob","eve"]],{}`, "true", "PUT /v1/connection/" + conn + `/users ["bob","eve"]`},
		{"watch", `[[]],{}`, "true", "PUT /v1/connection/" + conn + `/users []`},
	} {
		call(t, s, c.method, c.rest, c.result)
		a.want(t, "gw "+c.asked)
	}
	call(t, s, "here", `[],{}`, "true")
	a.want(t)
}

// Each message is published, then counted, for each room by itself.
func TestSendCounts(t *testing.T) {
	t.Parallel()
	s, a := backend(t)
	for i, room := range []string{"lobby", "lobby", "kitchen"} {
		call(t, s, "send_message", fmt.Sprintf(`["%s","hi"],{"id":"m%d"}`, room, i), `"author":"ann"`)
	}
	var counts []string
	for _, asked := range a.asked {
		if !strings.Contains(asked, "/v1/publish/") {
			counts = append(counts, asked)
		}
	}
	a.asked = counts
	a.want(t, `gw POST /v1/lattice/chat/rooms {"shared":{"lobby":{"sent_me_counter":1}}}`,
		`gw POST /v1/lattice/chat/rooms {"shared":{"lobby":{"sent_me_counter":2}}}`,
		`gw POST /v1/lattice/chat/rooms {"shared":{"kitchen":{"sent_me_counter":1}}}`)
}

// What cannot be promised at the moment is asked for again; what is refused is not.
func TestRetry(t *testing.T) {
	t.Parallel()
	s, a := backend(t, 503, 502)
	call(t, s, "join", `["lobby"],{}`, "true")
	asked := "gw PUT /v1/connection/" + conn + "/subscriptions/rooms/lobby "
	a.want(t, asked, asked, asked)

	s, a = backend(t, 404)
	if code, out := post(t, s.URL+"/chat/join", "ann", `[`+meta+`,["lobby"],{}]`); code != 503 {
		t.Errorf("refused: %d %s", code, out)
	}
	a.want(t, asked)
}

// When the set of people is full, one chats without being listed.
func TestEnterWithoutPeople(t *testing.T) {
	t.Parallel()
	s, a := backend(t, 400)
	call(t, s, "enter", `[],{}`, "true")
	if len(a.asked) != 2 || !strings.Contains(a.asked[0], "people_set") || strings.Contains(a.asked[1], "people_set") {
		t.Errorf("the gateway was asked %q", a.asked)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s, a := backend(t)
	for _, c := range []struct {
		path, user, body string
		want             int
	}{
		{"/chat/join", "", `[{},["lobby"],{}]`, 401},
		{"/chat/join", "ann", `[{},["cellar"],{}]`, 404},
		{"/chat/join", "ann", `[{},[],{}]`, 422},
		{"/chat/join", "ann", `{}`, 400},
		{"/chat/send_message", "ann", `[{},["lobby",""],{"id":"m"}]`, 422},
		{"/chat/send_message", "ann", `[{},["lobby","x"],{}]`, 422},
		{"/chat/mark_read", "ann", `[{},["lobby"],{}]`, 422},
		{"/chat/mark_read", "ann", `[{},["lobby",-1],{}]`, 422},
		{"/chat/mark_read", "ann", `[{},["lobby",9007199254740992],{}]`, 422},
		{"/chat/watch", "ann", `[{},[null],{}]`, 422},
		{"/chat/watch", "ann", `[{},[["a b"]],{}]`, 422},
		{"/swindon/authorize_connection", "", `[{},[],{"http_cookie":null}]`, 401},
		{"/api/login", "", `{"name":"a b"}`, 422},
	} {
		if code, out := post(t, s.URL+c.path, c.user, c.body); code != c.want {
			t.Errorf("%s %s: %d %s, want %d", c.path, c.body, code, out, c.want)
		}
	}
	a.want(t)
}

func TestAuthorizeByCookie(t *testing.T) {
	t.Parallel()
	s, _ := backend(t)
	cookie := session.NewKeeper("k").Issue("ann").String()
	cookie, _, _ = strings.Cut(cookie, ";")
	if code, out := post(t, s.URL+"/swindon/authorize_connection", "", `[{"connection_id":"x"},[],{"http_cookie":"`+cookie+`","http_authorization":null,"url_querystring":""}]`); code != 200 || out != "{\"node\":\"127.0.0.1"+s.URL[len("http://127.0.0.1"):]+"\",\"user_id\":\"ann\"}\n" {
		t.Fatalf("%d %s", code, out)
	}
}
