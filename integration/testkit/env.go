package testkit

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Patience bounds every wait for something that must come. It is generous, because tests share few cores.
const Patience = 20 * time.Second

// Quiet is how long a test listens when nothing may come.
const Quiet = 150 * time.Millisecond

// Env is the surroundings of one test: a folder, names that configurations use as ${NAME}, and what was started.
type Env struct {
	T   testing.TB
	Dir string

	mu   sync.Mutex // guards vars
	vars map[string]string
}

// New makes an empty environment in a temporary folder, which is ${DIR}.
func New(t testing.TB) *Env {
	t.Helper()
	dir := t.TempDir()
	return &Env{T: t, Dir: dir, vars: map[string]string{"DIR": dir}}
}

// Set gives a name a value.
func (e *Env) Set(name, value string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.vars[name] = value
}

// Addr is the value of a name that is an address. An unknown name becomes a free address of the loopback.
func (e *Env) Addr(name string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if addr, ok := e.vars[name]; ok {
		return addr
	}
	e.vars[name] = freeAddr(e.T)
	return e.vars[name]
}

// lookup is the value of a name, empty when it has none.
func (e *Env) lookup(name string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.vars[name]
}

// Expand replaces ${NAME} in a text; unknown names become free addresses.
func (e *Env) Expand(text string) string { return os.Expand(text, e.Addr) }

// File writes a file below Dir, with its folders, and returns its path. The text is expanded when it is a configuration (.yaml).
func (e *Env) File(name, text string) string {
	e.T.Helper()
	path := filepath.Join(e.Dir, name)
	if filepath.Ext(name) == ".yaml" {
		text = e.Expand(text)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		e.T.Fatal(err)
	}
	// Readers of a configuration must never see half a file: it is written aside and renamed.
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		e.T.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		e.T.Fatal(err)
	}
	return path
}

// Test processes take ports below the kernel's range for outgoing connections, which could otherwise take a port between
// freeAddr and the program's bind. Each process begins somewhere else and counts up.
const (
	firstPort = 12_000
	portCount = 20_000
)

var nextPort atomic.Int64

func freeAddr(t testing.TB) string {
	t.Helper()
	for range 1000 {
		offset := (int64(os.Getpid())*97 + nextPort.Add(1)) % portCount
		addr := net.JoinHostPort("127.0.0.1", strconv.FormatInt(firstPort+offset, 10))
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		_ = listener.Close()
		return addr
	}
	t.Fatal("no free port found")
	return ""
}

// Eventually waits until the condition holds. It is only for states that nobody tells; where there is an event, wait for that.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", Patience, what)
		case <-tick.C:
		}
	}
}

// short cuts a text for a message.
func short(text string) string {
	const most = 4096
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("… %s", text[len(text)-most:])
}
