package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestTemporaryFolder: private, and gone at the end.
func TestTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	b, err := Open(t.Context(), DefaultConfig(), testDeps(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := b.server.store.path
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info.Mode(), err)
	}
	// A second node leaves a folder in use alone.
	b2, err := Open(t.Context(), DefaultConfig(), testDeps(t))
	if err != nil {
		t.Fatal(err)
	}
	b2.Close(context.WithoutCancel(t.Context()))
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the first node's folder: %v", err)
	}
	b.Close(context.WithoutCancel(t.Context()))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder after Close: %v", err)
	}
}

const killEnv = "SWINDON_TEST_SERVE_UNTIL_KILLED"

// serveUntilKilled is what the test's child process does.
func serveUntilKilled() {
	deps := Deps{Log: slog.New(slog.DiscardHandler), Node: testNode, Pools: []PoolLimit{{Name: "main"}}}
	b, err := Open(context.Background(), DefaultConfig(), deps)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(b.server.store.path)
	select {}
}

// TestKilledProcessLeavesNothing: the folder of a process that was killed is removed by the next one that starts.
func TestKilledProcessLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), exe)
	child.Env = append(os.Environ(), killEnv+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, _, err := bufio.NewReader(out).ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	dir := string(line)
	removeStale(tmp, testDeps(t).Log)
	if _, err := os.Stat(filepath.Join(dir, "jetstream")); err != nil {
		t.Errorf("while it runs: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("a killed process cannot clean up, yet: %v", err)
	}
	open(t, DefaultConfig(), testDeps(t))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the next start: %v", err)
	}
}

// TestStaleFolders: what is removed and what is not.
func TestStaleFolders(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	old := time.Now().Add(-time.Hour)
	make := func(name string, lock bool, when time.Time) string {
		dir := filepath.Join(tmp, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if lock {
			if err := os.WriteFile(filepath.Join(dir, lockName), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(dir, when, when); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	target := t.TempDir()
	link := filepath.Join(tmp, tempPrefix+"link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	held := make(tempPrefix+"held", true, old)
	lock, err := lockDir(held)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	gone := []string{make(tempPrefix+"left", true, time.Now()), make(tempPrefix+"oldempty", false, old)}
	kept := []string{make(tempPrefix+"young", false, time.Now()), make("other-1", true, old), held, link, target}

	removeStale(tmp, testDeps(t).Log)
	for _, dir := range gone {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
	for _, dir := range kept {
		if _, err := os.Lstat(dir); err != nil {
			t.Error(err)
		}
	}
}

// TestStoreDir: it is kept, with what is in it, and nobody else may use it meanwhile.
func TestStoreDir(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.StoreDir = filepath.Join(t.TempDir(), "a", "b")
	b, err := Open(t.Context(), cfg, testDeps(t))
	if err != nil {
		t.Fatal(err)
	}
	rev, err := b.Store("main").CompareAndSwap(ctx(t), "ns.s.key", 0, []byte(`{"v":1}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), cfg, testDeps(t)); !errors.Is(err, errLocked) {
		t.Errorf("second process: %v", err)
	}
	b.Close(context.WithoutCancel(t.Context()))
	b = open(t, cfg, testDeps(t))
	e, err := b.Store("main").Get(ctx(t), "ns.s.key")
	if err != nil || string(e.Value) != `{"v":1}` || e.Revision != rev {
		t.Errorf("after a restart: %q %d, %v", e.Value, e.Revision, err)
	}
}
