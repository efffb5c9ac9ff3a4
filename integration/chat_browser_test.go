package integration

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/swindon-go/swindon/integration/testkit"
)

// idle is how long a user counts as active in these tests.
const idle = "4s"

// startDemo starts the example as `make demo` does, on free ports, and returns its address.
func startDemo(t *testing.T, more ...string) (string, *testkit.Process) {
	t.Helper()
	swindon := testkit.Binary(t, "cmd/swindon")
	args := append([]string{"-swindon", swindon, "-dir", filepath.Join(testkit.Root(), "examples", "chat"), "-port", "0"}, more...)
	demo := testkit.New(t).LaunchWith([]string{
		"SWINDON__SESSION_POOLS__MAIN__NEW_CONNECTION_IDLE_TIMEOUT=" + idle,
		"SWINDON__SESSION_POOLS__MAIN__CLIENT_MAX_IDLE_TIMEOUT=" + idle,
	}, testkit.Binary(t, "examples/chat"), args...)
	demo.Stdout.Await(t, "The chat is at ")
	m := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(demo.Stdout.String())
	if m == "" {
		t.Fatalf("no address in %q", demo.Stdout.String())
	}
	return m, demo
}

// newBrowser starts one Chromium; windows of it have their own cookies.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(testkit.Browser(t)), chromedp.DisableGPU, chromedp.WindowSize(1200, 800),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-sync", true))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// window is one user's page.
type window struct {
	t   *testing.T
	ctx context.Context
}

// open opens the page in a window with its own cookies and signs in.
func open(t *testing.T, browser context.Context, url, name string) window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	w := window{t, ctx}
	w.do(chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("#name")),
		chromedp.SendKeys(chromedp.CSS("#name"), name+"\r"))
	w.until(connected)
	return w
}

// connected is a JavaScript expression: the page has a connection.
const connected = `document.querySelector('#state').dataset.state === 'active'`

func (w window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, steps...); err != nil {
		w.t.Fatal(err)
	}
}

// until waits until a JavaScript expression is true.
func (w window) until(expression string) {
	w.t.Helper()
	if _, err := chromedp.Run(w.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(testkit.Patience))); err != nil {
		text, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		w.t.Fatalf("%s: %v\nthe page shows:\n%s", expression, err, text)
	}
}

// within tells whether a JavaScript expression becomes true in this time.
func (w window) within(d time.Duration, expression string) bool {
	w.t.Helper()
	_, err := chromedp.Run(w.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(d)))
	return err == nil
}

func (w window) eval(expression string) string {
	w.t.Helper()
	s, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w window) say(text string) {
	w.t.Helper()
	w.do(chromedp.SendKeys(chromedp.CSS("#text"), text+"\r"))
}

// shown is a JavaScript expression: so many messages with this text, all of them sent.
func shown(text, count string) string {
	return `[...document.querySelectorAll('#messages li:not(.note):not(.pending):not(.failed)')].filter(li => li.innerText.includes('` +
		text + `')).length === ` + count
}

// enter goes to a room, by keyboard.
func (w window) enter(room string) {
	w.t.Helper()
	button := `[data-room="` + room + `"]`
	w.until(`document.querySelector('` + button + `') !== null`)
	w.do(chromedp.Focus(chromedp.CSS(button)), chromedp.SendKeys(chromedp.CSS(button), "\r"))
	w.until(`document.querySelector('` + button + `').getAttribute('aria-current') === 'true'`)
}

// unread is a JavaScript expression: so many messages of the room are unread.
func unread(room, condition string) string {
	badge := `document.querySelector('[data-room="` + room + `"] .badge')`
	return badge + ` && (` + badge + `.hidden ? 0 : Number(` + badge + `.textContent)) ` + condition
}

// dot is a JavaScript expression: the page shows somebody so.
func dot(name, presence string) string {
	return `document.querySelector('#people [data-user="` + name + `"]')?.dataset.presence === '` + presence + `'`
}

// Two browsers talk to each other through the running example: the page comes from the static handler, the API through
// the proxy, calls go to HTTP and NATS backends, pushes come by topics. Only the keyboard is used.
func TestBrowserChat(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser; make test runs it")
	}
	url, demo := startDemo(t)
	browser := newBrowser(t)
	ann := open(t, browser, url, "ann")
	bob := open(t, browser, url, "bob")

	t.Run("talk", func(t *testing.T) {
		ann.say("hello bob")
		bob.until(shown("hello bob", "1"))
		bob.say("hello ann")
		ann.until(shown("hello ann", "1"))
		// Each sees each message once, its own too.
		ann.until(shown("hello bob", "1"))
		if who := bob.eval(`document.querySelector('#messages li:not(.mine) b').innerText`); who != "ann" {
			t.Errorf("bob sees the message of %q", who)
		}
	})
	t.Run("rooms", func(t *testing.T) {
		ann.enter("kitchen")
		ann.until(`document.querySelector('#room-title').innerText === 'Kitchen'`)
		ann.say("who cooks?")
		// Bob is in the lobby: the kitchen's badge tells him, the lobby does not show it.
		bob.until(unread("kitchen", "=== 1"))
		bob.until(`document.title.startsWith('(1) ')`)
		if text := bob.eval(`document.querySelector('#messages').innerText`); strings.Contains(text, "who cooks?") {
			t.Errorf("the lobby shows %q", text)
		}
		if names := bob.eval(`[...document.querySelectorAll('#rooms button > span:first-child')].map(e => e.innerText).join()`); names != "Lobby,Kitchen,Football" {
			t.Errorf("the rooms are %q", names)
		}
	})
	t.Run("two devices", func(t *testing.T) {
		// Ann is in the kitchen on both devices; what bob says in the lobby is unread on both until one of them reads it.
		second := open(t, browser, url, "ann")
		second.enter("kitchen")
		second.until(unread("lobby", "=== 0"))
		bob.say("one")
		bob.say("two")
		for _, device := range []window{ann, second} {
			device.until(unread("lobby", "=== 2"))
		}
		second.enter("lobby")
		for _, device := range []window{second, ann} {
			device.until(unread("lobby", "=== 0"))
		}
		// What was read stays read: the page comes back and knows it, and what is unread as well.
		bob.say("three")
		ann.until(unread("lobby", "=== 0")) // the second device looks at it
		second.enter("kitchen")
		bob.say("four")
		ann.until(unread("lobby", "=== 1"))
		second.do(chromedp.Navigate(url + "?again"))
		second.until(connected)
		second.enter("kitchen")
		ann.enter("football")
		ann.until(unread("lobby", "=== 0")) // again: the page came back in the lobby
		bob.until(unread("kitchen", "=== 1"))
		bob.enter("kitchen")
		bob.until(unread("kitchen", "=== 0"))
	})
	t.Run("presence", func(t *testing.T) {
		ann.until(dot("bob", "inactive"))
		bob.say("here I am")
		ann.until(dot("bob", "active"))
		ann.until(dot("bob", "inactive"))
		carl := open(t, browser, url, "carl")
		ann.until(dot("carl", "active"))
		carl.until(dot("ann", "inactive"))
		// Whoever leaves the page is gone, although the browser keeps it for the way back.
		carl.do(chromedp.Navigate("about:blank"))
		ann.until(dot("carl", "offline"))
		ann.until(dot("bob", "inactive"))
	})
	t.Run("pizza", func(t *testing.T) {
		bob.until(`document.querySelector('[data-pizza="funghi"]') !== null`)
		bob.do(chromedp.SendKeys(chromedp.CSS(`[data-pizza="funghi"]`), "\r"))
		bob.until(`document.querySelector('#orders li')?.innerText.includes('Funghi')`)
		bob.until(`document.querySelector('#orders li').innerText.includes('delivered')`)
		// Orders are private.
		if text := ann.eval(`document.querySelector('#orders').innerText`); strings.Contains(text, "Funghi") {
			t.Errorf("ann sees bob's order: %q", text)
		}
	})
	t.Run("narrow and dark", func(t *testing.T) {
		bob.do(chromedp.EmulateViewport(360, 640))
		if w := bob.eval(`String(document.documentElement.scrollWidth)`); w != "360" {
			t.Errorf("at 360 pixels the page is %s wide", w)
		}
		bob.until(`document.querySelector('#text').getBoundingClientRect().bottom <= innerHeight`)
	})
	t.Run("end", func(t *testing.T) {
		demo.Signal(syscall.SIGINT)
		if code := demo.Wait(); code != 0 {
			t.Errorf("the example ended with status %d:\n%s", code, demo.Stderr.String())
		}
		ann.until(`document.querySelector('#state').dataset.state === 'waiting' || document.querySelector('#state').dataset.state === 'connecting'`)
	})
}
