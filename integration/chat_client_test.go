package integration

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/swindon-go/swindon/integration/testkit"
)

// The example's client library: what it makes of frames, without a gateway. The tests are testdata/client_test.js.
func TestBrowserClient(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser; make test runs it")
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join(testkit.Root(), "examples/chat/public"))))
	mux.HandleFunc("/client_test.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/client_test.js") })
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/html") })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)

	w := window{t, newBrowser(t)}
	w.do(chromedp.Navigate(srv.URL + "/empty"))
	text, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](`import('/client_test.js').then((tests) => tests.run())`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
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
