package integration

import (
	"regexp"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// debugHeaders are the X-Swindon headers of a response.
func debugHeaders(r *testkit.Response) map[string]string {
	values := make(map[string]string)
	for _, name := range []string{"Route", "File-Path", "Request-Id", "Authorizer", "Allow", "Deny"} {
		if all := r.All("X-Swindon-" + name); len(all) > 0 {
			values[name] = r.Get("X-Swindon-" + name)
		}
	}
	return values
}

func TestDebugHeaders(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "true")
	env.Start(handlersConfig)
	id := regexp.MustCompile(`^[A-Za-z0-9_-]{32}$`)
	for name, test := range map[string]struct {
		host, target, status string
		headers              []string
		want                 map[string]string
	}{
		"handler":       {"localhost", "/empty.gif", "200", nil, map[string]string{"Route": "gif", "Authorizer": "default"}},
		"default":       {"localhost", "/nothing", "404", nil, map[string]string{"Route": "default", "Authorizer": "default"}},
		"no-route":      {"unknown", "/", "404", nil, map[string]string{"Route": "-- no route --"}},
		"no-network":    {"localhost", "/closed", "403", nil, map[string]string{"Route": "gif", "Authorizer": "nobody", "Deny": "no-network moon"}},
		"peer":          {"localhost", "/admin", "200", nil, map[string]string{"Route": "gif", "Authorizer": "office", "Allow": "forwarded-from 127.0.0.1/24, source-ip 127.0.0.1/24"}},
		"forwarded":     {"localhost", "/admin", "200", []string{"X-Real-Ip: 8.8.8.8"}, map[string]string{"Route": "gif", "Authorizer": "office", "Allow": "forwarded-from 127.0.0.1/24, source-ip 8.0.0.0/8"}},
		"denied":        {"localhost", "/admin", "403", []string{"X-Real-Ip: 4.4.4.4"}, map[string]string{"Route": "gif", "Authorizer": "office", "Allow": "forwarded-from 127.0.0.1/24", "Deny": "source-ip 4.4.4.4"}},
		"last-counts":   {"localhost", "/admin", "403", []string{"X-Real-Ip: 8.8.8.8", "x-real-ip: 4.4.4.4"}, map[string]string{"Route": "gif", "Authorizer": "office", "Allow": "forwarded-from 127.0.0.1/24", "Deny": "source-ip 4.4.4.4"}},
		"not-an-ip":     {"localhost", "/admin", "403", []string{"X-Real-Ip: 8.8.8.8, 8.8.8.8"}, map[string]string{"Route": "gif", "Authorizer": "office", "Allow": "forwarded-from 127.0.0.1/24", "Deny": "invalid-source-ip-from-header"}},
		"query-is-path": {"localhost", "/empty.gif?x", "200", nil, map[string]string{"Route": "gif", "Authorizer": "default"}},
	} {
		t.Run(name, func(t *testing.T) {
			request := "GET " + test.target + " HTTP/1.1\r\nHost: " + test.host + "\r\n"
			for _, h := range test.headers {
				request += h + "\r\n"
			}
			r := testkit.Do(t, env.Addr("HTTP"), request+"\r\n")
			got := debugHeaders(r)
			if !id.MatchString(got["Request-Id"]) {
				t.Errorf("request id %q", got["Request-Id"])
			}
			delete(got, "Request-Id")
			if len(got) != len(test.want) {
				t.Errorf("debug headers %v, want %v", got, test.want)
			}
			for key, want := range test.want {
				if got[key] != want {
					t.Errorf("X-Swindon-%s: %q, want %q", key, got[key], want)
				}
			}
			if status := r.Head[9:12]; status != test.status {
				t.Errorf("status %s, want %s", status, test.status)
			}
		})
	}
}

func TestNoDebugHeaders(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	env.Set("DEBUG", "false")
	env.File("public/a.txt", "hello")
	env.Start(handlersConfig)
	for _, target := range []string{"/empty.gif", "/nothing", "/closed", "/admin"} {
		if got := debugHeaders(testkit.Get(t, env.Addr("HTTP"), target)); len(got) != 0 {
			t.Errorf("%s has debug headers %v", target, got)
		}
	}
}
