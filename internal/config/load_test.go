package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// load writes the files into a folder and loads main.yaml of it.
func load(t *testing.T, files map[string]string, environ ...string) (*Loaded, string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	l, err := Load(filepath.Join(dir, "main.yaml"), environ, nil)
	return l, dir, err
}

func mustLoad(t *testing.T, text string, environ ...string) *Loaded {
	t.Helper()
	l, _, err := load(t, map[string]string{"main.yaml": text}, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEmptyFilesMeanDefaults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "# nothing\n", "---\n", "\ufeff", "{}", "routing: {}\nhandlers: {}\n", "_x: {y: [1, null]}\n",
		"routing:\nhandlers:\nsession-pools:\nlisten:\nreplication:\nadmin:\nmixins:\n",
	} {
		l := mustLoad(t, text)
		if d := cmp.Diff(Default(), l.Config); d != "" {
			t.Errorf("%q: %s", text, d)
		}
		if len(l.Warnings) > 0 {
			t.Errorf("%q: %v", text, l.Warnings)
		}
	}
}

// The lowest layer must mean what the Default functions say, or koanf would change defaults.
func TestDefaultLayerRoundTrip(t *testing.T) {
	t.Parallel()
	want := defaults()
	tree := defaultsTree(reflect.ValueOf(want))
	d := newDecoder()
	var got Config
	d.structure(reflect.ValueOf(&got).Elem(), any(tree), "")
	if err := d.problems.err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The digests were computed by Python's hashlib over the labels and contents in the order of configuration §2.12.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	l, _, err := load(t, map[string]string{
		"main.yaml": "handlers: !*Include sub/h.yaml\nmixins:\n  b-: b.yaml\n  a-: m/a.yaml\n" +
			"<<: !*Include z.yaml\nauthorizers: !*Include sub/a.yaml\n",
		"sub/h.yaml":      "x: !EmptyGif\ny: !SelfStatus\n  extra-headers: !*Include deep/e.yaml\n",
		"sub/deep/e.yaml": "X-A: 1\n",
		"sub/a.yaml":      "a: !AllowAll\n",
		"z.yaml":          "debug-routing: true\n",
		"b.yaml":          "handlers: {b-x: !EmptyGif }\n",
		"m/a.yaml":        "networks: !*Include n.yaml\n",
		"m/n.yaml":        "a-n: [10.0.0.1]\n",
	}, "SWINDON__MAX_CONNECTIONS=7")
	if err != nil {
		t.Fatal(err)
	}
	const want = "e59e378831f4376d96ae22e80215bfe1f66d2924c85a45f252b6f7fcf1275d94" +
		"76299b2312b908adc3d68a74f1eddeb260aa8dc19b150d52394bdfe95f4384e2"
	if l.Fingerprint != want {
		t.Errorf("fingerprint %s", l.Fingerprint)
	}
	if c := l.Config; !c.Edge.DebugRouting || c.Edge.MaxConnections != 7 || len(c.Handlers) != 4 || len(c.Networks) != 1 {
		t.Errorf("not everything arrived: %+v", c)
	}
	if len(l.Sources) != 8 {
		t.Errorf("%d sources", len(l.Sources))
	}
}

func TestFromBytes(t *testing.T) {
	t.Parallel()
	l, err := FromBytes("<generated>", []byte("listen: [127.0.0.1:8000]"))
	if err != nil {
		t.Fatal(err)
	}
	// BLAKE2b-512 of nothing.
	if !strings.HasPrefix(l.Fingerprint, "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419") {
		t.Errorf("fingerprint %s", l.Fingerprint)
	}
	if l.Sources.Changed() || len(l.Sources) != 0 {
		t.Error("a text in memory changed")
	}
	_, err = FromBytes("<generated>", []byte("listen: x"))
	if err == nil || !strings.Contains(err.Error(), "<generated>:1:9: Decode error at .listen: sequence expected, got Scalar") {
		t.Errorf("err = %v", err)
	}
}

func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	writeFile(t, big, strings.Repeat("#", maxFile+1))
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "no such file or directory",
		dir:                             "is a directory",
		big:                             "larger than",
	} {
		_, err := Load(path, nil, nil)
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "IO error: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if len(e.Sources) != 1 || len(e.Problems) != 0 {
			t.Errorf("%s: sources %v, problems %v", path, e.Sources, e.Problems)
		}
	}
	if _, err := Load(filepath.Join(dir, "none.yaml"), nil, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("err = %v", err)
	}
}

// A failed load still knows its files, so that a reload is tried again when they change and not before.
func TestErrorKnowsItsSources(t *testing.T) {
	t.Parallel()
	_, dir, err := load(t, map[string]string{"main.yaml": "mixins: {a-: a.yaml}", "a.yaml": "foo: 1"})
	var e *Error
	if !errors.As(err, &e) || len(e.Sources) != 2 {
		t.Fatalf("err = %v", err)
	}
	if e.Sources.Changed() {
		t.Error("nothing changed yet")
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "a.yaml"), later, later); err != nil {
		t.Fatal(err)
	}
	if !e.Sources.Changed() {
		t.Error("a change went unseen")
	}
}

// Kubernetes replaces a ConfigMap by swapping a link to a folder; the files behind it may have equal times and sizes.
func TestChangedSeesSwappedLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	when := time.Now().Add(-time.Hour)
	for _, d := range []string{"..1", "..2"} {
		for _, f := range []string{"main.yaml", "inc.yaml"} {
			path := filepath.Join(dir, d, f)
			writeFile(t, path, map[string]string{"main.yaml": "routing: !*Include inc.yaml", "inc.yaml": "{}"}[f])
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(target, name string) {
		t.Helper()
		tmp := filepath.Join(dir, "tmp")
		if err := errors.Join(os.Symlink(target, tmp), os.Rename(tmp, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link("..data/main.yaml", "main.yaml")
	link("..data/inc.yaml", "inc.yaml")
	l, err := Load(filepath.Join(dir, "main.yaml"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if l.Sources.Changed() {
		t.Error("nothing changed yet")
	}
	if !l.Sources.ModTime().Equal(when.Truncate(0)) && l.Sources.ModTime().Sub(when).Abs() > time.Second {
		t.Errorf("ModTime %v", l.Sources.ModTime())
	}
	link("..2", "..data")
	if !l.Sources.Changed() {
		t.Error("the swap went unseen")
	}
	l, err = Load(filepath.Join(dir, "main.yaml"), nil, nil)
	if err != nil || l.Sources.Changed() {
		t.Fatalf("after the swap: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "..2", "inc.yaml")); err != nil {
		t.Fatal(err)
	}
	if !l.Sources.Changed() {
		t.Error("a file that is gone counts as changed")
	}
}

func TestRestartOnly(t *testing.T) {
	t.Parallel()
	const base = "session-pools: {p: }\nnats: {listen: [], prefix: sw}\n"
	for _, c := range []struct {
		text string
		want []string
	}{
		{base, nil},
		{"session-pools: {p: }\nnats:\n", nil},
		{base + "max-connections: 5\nrouting: {a: default}\n", nil},
		{
			"session-pools: {p: }\nnats: {listen: [127.0.0.1], store-dir: x, backend-token: y}\n",
			[]string{"nats.listen", "nats.backend-token", "nats.store-dir"},
		},
		{
			base + "replication: {peers: [a], token: x, reconnect-timeout: 1s}\nset-user: u\nset-group: g\n",
			[]string{"replication.peers", "replication.reconnect-timeout", "replication.token", "set-user", "set-group"},
		},
	} {
		got := RestartOnly(mustLoad(t, base).Config, mustLoad(t, c.text).Config)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%q: %s", c.text, d)
		}
	}
	if got := RestartOnly(mustLoad(t, "").Config, mustLoad(t, "session-pools: {p: }").Config); !cmp.Equal(got, []string{"nats"}) {
		t.Errorf("first session pool: %v", got)
	}
}

func TestEqualLooksAtMeaningOnly(t *testing.T) {
	t.Parallel()
	a := mustLoad(t, "max-connections: 1k\nrouting: {b: default, a: default}\nnetworks: {}\nlisten: []\n").Config
	b := mustLoad(t, "# comment\nrouting:\n  a: default\n  b/: default\nmax_connections: 1000\n").Config
	if !Equal(a, b) {
		t.Error(cmp.Diff(a, b))
	}
	if Equal(a, mustLoad(t, "max-connections: 1k").Config) {
		t.Error("equal without the routes")
	}
}
