package testkit

import (
	"os/exec"
	"testing"
)

// Browser finds Chromium. A test fails without it: a browser test that nobody runs proves nothing (make test-short leaves it out).
func Browser(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium found: install it with `apt-get install chromium` (make test-short runs the tests that need none)")
	return ""
}
