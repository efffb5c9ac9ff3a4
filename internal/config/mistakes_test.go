package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected halves of testdata and docs/reference/configuration.md")

// Each file in testdata/mistakes is one mistake: a comment that says which, the files, and the whole error text. The
// files lie in a folder DIR.
func TestMistakes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			var environ []string
			want, at := "", -1
			for i, f := range a.Files {
				switch f.Name {
				case "error":
					want, at = string(f.Data), i
				case "environment":
					environ = strings.Fields(string(f.Data))
				default:
					writeFile(t, filepath.Join(dir, f.Name), string(f.Data))
				}
			}
			got := "accepted\n"
			if _, err := Load(filepath.Join(dir, "main.yaml"), environ, nil); err != nil {
				got = strings.TrimRight(strings.ReplaceAll(err.Error(), dir, "DIR"), "\n") + "\n"
			}
			if *update && at >= 0 {
				a.Files[at].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if at < 0 || want == "accepted\n" || want == "" {
				t.Fatal("the fixture expects no error")
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
