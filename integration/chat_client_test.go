package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/swindon-go/swindon/integration/testkit"
	"github.com/swindon-go/swindon/lattice"
)

// clientPage is a browser in which testdata/client_test.js and the example's client library can be imported.
func clientPage(t *testing.T) window {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join(testkit.Root(), "examples/chat/public"))))
	mux.HandleFunc("/client_test.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/client_test.js") })
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	w := window{t, newBrowser(t)}
	w.do(chromedp.Navigate(srv.URL + "/empty"))
	return w
}

// await evaluates an expression of the module `tests`, and returns what it promises.
func (w window) await(expression string) string {
	w.t.Helper()
	text, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](`import('/client_test.js').then((tests) => `+expression+`)`, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// The example's client library: what it makes of frames, without a gateway. The tests are testdata/client_test.js.
func TestBrowserClient(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser; make test runs it")
	}
	text := clientPage(t).await("tests.run()")
	var result struct {
		Count    int
		Failures []string
	}
	if err := json.Unmarshal([]byte(text), &result); err != nil || result.Count == 0 {
		t.Fatalf("%v: %s", err, text)
	}
	for _, failure := range result.Failures {
		t.Error(failure)
	}
}

// The client joins as the gateway does: from the growth of a thousand random updates, with snapshots between them, some of it
// repeated and all of it in another order, it gets the gateway's state.
func TestBrowserClientJoins(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser; make test runs it")
	}
	r := rand.New(rand.NewPCG(1, 2))
	var state lattice.Keys
	var frames []string
	for i := range 1000 {
		// Registers get a version of their own each time: of equal versions the gateway takes the greater value, the client
		// the first.
		update := fmt.Sprintf(`{"shared":{"k%d":{"n%d_counter":%d,"s_set":["m%d","m%d"],"r_register":[%d.5,{"i":%d}]},"e%d":{}}}`,
			r.IntN(5), r.IntN(3), r.IntN(1000), r.IntN(100), r.IntN(100), r.IntN(500)*1000+i, i, r.IntN(9))
		d, err := lattice.ParseDelta([]byte(update), 0, lattice.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		grown, changed := state.Merge(d.Shared)
		if changed {
			frames = append(frames, string(grown.AppendVars(nil)))
		}
		if i == 100 || i == 200 {
			frames = append(frames, string(state.AppendVars(nil)))
		}
		if r.IntN(5) == 0 {
			frames = append(frames, frames[r.IntN(len(frames))])
		}
	}
	r.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
	text := clientPage(t).await("tests.joined([" + strings.Join(frames, ",") + "])")
	got, err := lattice.ParseKeys([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if state.Len() < 10 || !got.Equal(&state) {
		t.Errorf("the client has\n%s\nthe gateway has\n%s", text, state.AppendStored(nil))
	}
}
