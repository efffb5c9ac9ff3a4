package chat

import (
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/examples/chat/internal/session"
)

const conn = "AZzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-7"

// backend starts the service beside a gateway that notes what it is asked.
func backend(t *testing.T) (*httptest.Server, *[]string) {
	t.Helper()
	var asked []string
	gw := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.Path+" "+string(body))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(gw.Close)
	s := httptest.NewServer(NewHandler(gw.URL, session.NewKeeper("k"), slog.New(slog.DiscardHandler)))
	t.Cleanup(s.Close)
	return s, &asked
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

func TestJoinAndSend(t *testing.T) {
	t.Parallel()
	s, asked := backend(t)
	meta := `{"request_id":1,"connection_id":"` + conn + `"}`
	if code, out := post(t, s.URL+"/chat/join", "ann", `[`+meta+`,["lobby"],{}]`); code != 200 || !strings.Contains(out, "Lobby") {
		t.Fatalf("join: %d %s", code, out)
	}
	if code, out := post(t, s.URL+"/chat/send_message", "ann", `[`+meta+`,["lobby","hi"],{"id":"m1"}]`); code != 200 || !strings.Contains(out, `"author":"ann"`) {
		t.Fatalf("send: %d %s", code, out)
	}
	if len(*asked) != 2 || (*asked)[0] != "PUT /v1/connection/"+conn+"/subscriptions/rooms/lobby " || !strings.HasPrefix((*asked)[1], `POST /v1/publish/rooms/lobby {"id":"m1","author":"ann","text":"hi"`) {
		t.Fatalf("the gateway was asked %q", *asked)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s, asked := backend(t)
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
		{"/swindon/authorize_connection", "", `[{},[],{"http_cookie":null}]`, 401},
		{"/api/login", "", `{"name":"a b"}`, 422},
	} {
		if code, out := post(t, s.URL+c.path, c.user, c.body); code != c.want {
			t.Errorf("%s %s: %d %s, want %d", c.path, c.body, code, out, c.want)
		}
	}
	if len(*asked) != 0 {
		t.Errorf("the gateway was asked %q", *asked)
	}
}

func TestAuthorizeByCookie(t *testing.T) {
	t.Parallel()
	s, _ := backend(t)
	cookie := session.NewKeeper("k").Issue("ann").String()
	cookie, _, _ = strings.Cut(cookie, ";")
	if code, out := post(t, s.URL+"/swindon/authorize_connection", "", `[{"connection_id":"x"},[],{"http_cookie":"`+cookie+`","http_authorization":null,"url_querystring":""}]`); code != 200 || out != "{\"user_id\":\"ann\"}\n" {
		t.Fatalf("%d %s", code, out)
	}
}
