package integration

import (
	"regexp"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// check runs --check-config on a file; the test is about its output.
func check(t *testing.T, config string, args ...string) (testkit.Output, string) {
	t.Helper()
	env := testkit.New(t)
	file := env.File("config.yaml", config)
	return testkit.Run(t, append([]string{"--check-config", "--config", file}, args...)...), file
}

func TestConfigAccepted(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"empty":       "",
		"comments":    "# only\n# comments\n",
		"no-handlers": "routing: {}\nhandlers: {}\n",
		"null-session-pool": `
routing:
  localhost/chat: chat
handlers:
  chat: !SwindonLattice
    session-pool: chat
    message-handlers:
      "*": dest
session-pools:
  chat:
http-destinations:
  dest:
    addresses: [127.0.0.1:5000]
    override-host-header: localhost
`,
		"variables": `
_VARS:
- &name EmptyGif
- &list [127.0.0.1:80, 127.0.0.1:81]
listen: *list
handlers:
  gif: !EmptyGif
    _ignored: [1, {a: b}]
`,
		"both-spellings":   "debug_routing: true\nmax-connections: 10_000\nkeep_alive_timeout: 1h 12m 35sec\n",
		"null-server-name": "server-name: ~\n",
		"odd-host":         "routing:\n  'localhost:': gif\n  localhost:8080/x: gif\nhandlers:\n  gif: !EmptyGif\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, _ := check(t, config); out.Code != 0 || out.Stdout != "" || out.Stderr != "" {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", out.Code, out.Stdout, out.Stderr)
			}
		})
	}
}

func TestConfigDeprecation(t *testing.T) {
	t.Parallel()
	out, _ := check(t, `
handlers:
  abc: !Proxy
    destination: dest
    request-id-header: X-Request-Id
http-destinations:
  dest: {addresses: [127.0.0.1:80]}
`)
	want := regexp.MustCompile(`^ WARN \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: swindon::config::read: handler"abc": request_id_header is deprecated in !Proxy setting, it must be specified in http destination\n$`)
	if out.Code != 0 || out.Stdout != "" || !want.MatchString(out.Stderr) {
		t.Errorf("exit %d\nstdout: %s\nstderr: %s", out.Code, out.Stdout, out.Stderr)
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	lattice := func(rest string) string {
		return "routing:\n  localhost/chat: chat\nhandlers:\n  chat: !SwindonLattice\n    session-pool: chat\n" + rest
	}
	for name, test := range map[string]struct{ config, want string }{
		"bool-yes":      {"debug_routing: yes\n", `.debug_routing: bad boolean "yes"`},
		"bool-on":       {"debug_routing: on\n", `.debug_routing: bad boolean "on"`},
		"bool-y":        {"debug_routing: y\n", `.debug_routing: bad boolean "y"`},
		"bool-1":        {"debug_routing: 1\n", `.debug_routing: bad boolean "1"`},
		"bool-no":       {"debug_routing: no\n", `.debug_routing: bad boolean "no"`},
		"bool-off":      {"debug_routing: off\n", `.debug_routing: bad boolean "off"`},
		"bool-n":        {"debug_routing: n\n", `.debug_routing: bad boolean "n"`},
		"bool-0":        {"debug_routing: 0\n", `.debug_routing: bad boolean "0"`},
		"listen-scalar": {"listen: 127.0.0.1:80\n", `.listen: sequence expected, got Scalar`},
		"listen-null":   {"listen:\n- 127.0.0.1:80\n- null\n", `.listen[1]: expected string, got Null`},
		"listen-list":   {"listen:\n- [127.0.0.1:80]\n", `.listen[0]: expected string, got Seq`},
		"proxy-empty":   {"routing:\n  localhost/abc: abc\nhandlers:\n  abc: !Proxy {}\n", ".handlers.abc: missing field `destination`"},
		"proxy-unknown-dest": {
			"routing:\n  localhost/abc: abc\nhandlers:\n  abc: !Proxy\n    destination: unknown-dest\n",
			`handler"abc": unknown http destination upstream"unknown-dest"`,
		},
		"lattice-unknown-http-route": {
			lattice("    http-route: unknown-dest\n    message-handlers:\n      '*': dest\nsession-pools:\n  chat:\nhttp-destinations:\n  dest:\n    addresses: [127.0.0.1:5000]\n"),
			`handler"chat": unknown http route handler"unknown-dest"`,
		},
		"lattice-unknown-dest": {
			lattice("    message-handlers:\n      '*': dest\n      test: unknown-dest\nsession-pools:\n  chat:\nhttp-destinations:\n  dest:\n    addresses: [127.0.0.1:5000]\n    override-host-header: example.com\n"),
			`handler"chat": unknown http destination upstream"unknown-dest"`,
		},
		"lattice-unknown-default-dest": {
			lattice("    message-handlers:\n      '*': unknown-dest\nsession-pools:\n  chat:\n"),
			`handler"chat": unknown http destination upstream"unknown-dest"`,
		},
		"lattice-host-override": {
			lattice("    message-handlers:\n      '*': dummy\n      test: unknown-dest\nsession-pools:\n  chat:\nhttp-destinations:\n  dummy:\n    addresses: [127.0.0.1:5000]\n"),
			`validation error: http destination upstream"dummy" is used in message-handler of handler"chat", so must contain override-host-header setting.`,
		},
		"inactivity-unknown-dest": {
			"session-pools:\n  chat:\n    inactivity-handlers: [dummy]\n", `sessionpool"chat": unknown http destination upstream"dummy"`,
		},
		"routing-list":  {"routing: []\n", `.routing: mapping expected`},
		"handlers-list": {"handlers: []\n", `.handlers: mapping expected`},
		"single-file-content-type": {
			"handlers:\n  handler: !SingleFile\n    path: /x\n    extra-headers:\n      content-TYPE: a/b\n",
			".handlers.handler: Content-Type must be specified as `content-type` parameter rather than in `extra-headers`",
		},
		"www-redirect": {
			"routing:\n  example.com: www_redirect\nhandlers:\n  www_redirect: !StripWWWRedirect\n",
			"Host \"example.com\" does not start with `www.` (required for StripWWWRedirect handler)",
		},
		"trailing-slash":    {"routing:\n  localhost/some/path/: h\nhandlers:\n  h: !EmptyGif\n", `Path must not end with / in "localhost/some/path/"`},
		"unknown-handler":   {"routing:\n  localhost/x: nowhere\n", `nowhere`},
		"unknown-key":       {"lissten: []\n", `lissten`},
		"unknown-tag":       {"handlers:\n  a: !EmptyGiff\n", `EmptyGiff`},
		"duplicate-key":     {"listen: []\nlisten: []\n", `config.yaml:2:1`},
		"old-tag":           {"handlers:\n  a: !SwindonChat\n", `SwindonChat`},
		"statement-in-logs": {"log-formats:\n  a:\n    template: \"## if x\"\n", `a`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _ := check(t, test.config)
			if out.Code != 1 || out.Stdout != "" || !strings.Contains(out.Stderr, test.want) {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s\nwant %s", out.Code, out.Stdout, out.Stderr, test.want)
			}
		})
	}
}

// Mistakes that were found while parsing name the file, the line and the column.
func TestConfigPosition(t *testing.T) {
	t.Parallel()
	out, file := check(t, "# a\nhandlers:\n  a: !EmptyGif\n    wrong: 1\n")
	if out.Code != 1 || !strings.Contains(out.Stderr, file+":4:5: ") {
		t.Errorf("exit %d, stderr: %s", out.Code, out.Stderr)
	}
}

func TestConfigMissingFile(t *testing.T) {
	t.Parallel()
	out := testkit.Run(t, "--check-config", "--config", t.TempDir()+"/none.yaml")
	if out.Code != 1 || out.Stdout != "" || !strings.HasPrefix(out.Stderr, "IO error: ") {
		t.Errorf("exit %d\nstdout: %s\nstderr: %s", out.Code, out.Stdout, out.Stderr)
	}
}

func TestConfigBadWithoutCheck(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	out := testkit.Run(t, "--config", env.File("config.yaml", "listen: 1\n"))
	if out.Code != 1 || out.Stdout != "" || !strings.Contains(out.Stderr, ".listen: sequence expected, got Scalar") {
		t.Errorf("exit %d\nstdout: %s\nstderr: %s", out.Code, out.Stdout, out.Stderr)
	}
}

// mixins are the files of the original's suite, for which the first digits of the fingerprint are known.
func TestConfigFingerprint(t *testing.T) {
	t.Parallel()
	env := testkit.New(t)
	file := env.File("config.yaml", "")
	first := testkit.Run(t, "-C", "--verbose", "-c", file)
	if !regexp.MustCompile(`^Config fingerprint: [0-9a-f]{128}\n$`).MatchString(first.Stdout) || first.Stderr != "" || first.Code != 0 {
		t.Errorf("exit %d\nstdout: %s\nstderr: %s", first.Code, first.Stdout, first.Stderr)
	}
	env.File("config.yaml", "# another\n")
	if second := testkit.Run(t, "--check-config", "--verbose", "--config="+file); second.Stdout == first.Stdout {
		t.Errorf("another file has the same fingerprint: %s", second.Stdout)
	}
}

func TestConfigMixins(t *testing.T) {
	t.Parallel()
	main := "routing:\n  localhost/a: app1-handler\n  localhost/b: app2-handler\nmixins:\n  app1-: app1.yaml\n  app2-: app2.yaml\n"
	t.Run("good", func(t *testing.T) {
		env := testkit.New(t)
		env.File("app1.yaml", "handlers:\n  app1-handler: !EmptyGif\n")
		env.File("app2.yaml", "handlers:\n  app2-handler: !EmptyGif\n")
		out := testkit.Run(t, "--check-config", "--config", env.File("main.yaml", main))
		if out.Code != 0 || out.Stdout != "" || out.Stderr != "" {
			t.Errorf("exit %d\nstdout: %s\nstderr: %s", out.Code, out.Stdout, out.Stderr)
		}
	})
	t.Run("wrong-prefix", func(t *testing.T) {
		env := testkit.New(t)
		env.File("app1.yaml", "handlers:\n  handler: !EmptyGif\n")
		env.File("app2.yaml", "handlers:\n  app2-handler: !EmptyGif\n")
		out := testkit.Run(t, "--check-config", "--config", env.File("main.yaml", main))
		want := `app1.yaml" has handler named "handler" without prefix "app1-"`
		if out.Code != 1 || out.Stdout != "" || !strings.Contains(out.Stderr, want) {
			t.Errorf("exit %d\nstdout: %s\nstderr: %s", out.Code, out.Stdout, out.Stderr)
		}
	})
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string // regular expressions
	}{
		"version":      {[]string{"--version"}, 0, `^1\.0\.0\n$`, `^$`},
		"help":         {[]string{"--help"}, 0, `--check-config`, `^$`},
		"short-help":   {[]string{"-h"}, 0, `--config`, `^$`},
		"unknown-flag": {[]string{"--wrong"}, 2, `^$`, `wrong`},
		"positional":   {[]string{"file.yaml"}, 2, `^$`, `file.yaml`},
		"flag-value":   {[]string{"--verbose=x"}, 2, `^$`, `verbose`},
		"no-value":     {[]string{"--config"}, 2, `^$`, `config`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := testkit.Run(t, test.args...)
			if out.Code != test.code || !regexp.MustCompile(test.stdout).MatchString(out.Stdout) || !regexp.MustCompile(test.stderr).MatchString(out.Stderr) {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", out.Code, out.Stdout, out.Stderr)
			}
		})
	}
	t.Run("bundled", func(t *testing.T) {
		env := testkit.New(t)
		if out := testkit.Run(t, "-Cc", env.File("config.yaml", "")); out.Code != 0 || out.Stdout != "" {
			t.Errorf("exit %d\nstdout: %s\nstderr: %s", out.Code, out.Stdout, out.Stderr)
		}
	})
}
