package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// lines hands on what a group tells, line by line.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- strings.TrimSpace(string(b))
	return len(b), nil
}

func (l lines) want(t *testing.T, format string, args ...any) string {
	t.Helper()
	select {
	case line := <-l:
		if n, _ := fmt.Sscanf(line, format, args...); n != len(args) {
			t.Fatalf("told %q, want %q", line, format)
		}
		return line
	case <-time.After(20 * time.Second):
		t.Fatalf("not told %q", format)
		return ""
	}
}

func TestGroupStartsAgain(t *testing.T) {
	t.Parallel()
	told := make(lines, 10)
	ctx, cancel := context.WithCancel(t.Context())
	g := newGroup(ctx, t.TempDir(), told, io.Discard)
	g.start(process{name: "one", serves: "nothing", program: "/bin/sh", args: []string{"-c", "exec sleep 100"}, back: time.Millisecond})
	var pid int
	for pid == 0 { // it starts in a goroutine of its own
		g.list()
		told.want(t, "one   pid %d   nothing", &pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var dead, again int
	if line := told.want(t, "one (pid %d) has ended", &dead); dead != pid || !strings.Contains(line, "signal: killed. It comes back in 1ms") {
		t.Errorf("told %q of %d", line, pid)
	}
	told.want(t, "one is back (pid %d)", &again)
	if again == pid {
		t.Errorf("pid %d twice", pid)
	}
	cancel()
	_ = g.wait()
	if err := syscall.Kill(again, 0); err == nil {
		t.Errorf("%d lives on", again)
	}
	if len(told) > 0 {
		t.Errorf("told %q", <-told)
	}
}

// The front is the only way in: by the supervisor's clock it is started again well within 2 s of its end, every time. What the clock
// does not show is how long the program itself takes to end and to start.
func TestFrontComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var addrs []string
		for i := range clusterPorts {
			addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", 1+i))
		}
		var front process
		for _, p := range newCluster(addrs).processes("swindon", "chat", time.Hour) {
			if p.name == "front" {
				front = p
			}
		}
		front.program, front.args, front.env = "/bin/sh", []string{"-c", "exit 3"}, nil
		told := make(lines)
		ctx, cancel := context.WithCancel(t.Context())
		g := newGroup(ctx, t.TempDir(), told, io.Discard)
		g.start(front)
		var ended, back int
		for range 5 {
			told.want(t, "front (pid %d) has ended", &ended)
			end := time.Now()
			told.want(t, "front is back (pid %d)", &back)
			if took := time.Since(end); took != frontBack || took > 2*time.Second {
				t.Errorf("started again after %v, want %v", took, frontBack)
			}
		}
		go func() { // what it tells while it ends
			for range told {
			}
		}()
		cancel()
		_ = g.wait()
		close(told)
	})
}

// The last started ends first; each has ended before the next one is asked to.
func TestGroupStopsBackwards(t *testing.T) {
	t.Parallel()
	var log buffer
	ctx, cancel := context.WithCancel(t.Context())
	g := newGroup(ctx, t.TempDir(), io.Discard, &log)
	for _, name := range []string{"one", "two", "three"} {
		g.start(process{name: name, program: "/bin/sh", args: []string{"-c", "trap 'sleep 0.1; echo bye; exit' TERM; echo up; while :; do sleep 0.01; done"}, back: time.Hour})
	}
	for deadline := time.Now().Add(20 * time.Second); strings.Count(log.String(), "up") < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not up: %s", log.String())
		}
	}
	cancel()
	_ = g.wait()
	_, end, _ := strings.Cut(log.String(), "three     bye\n")
	if end != "two       bye\none       bye\n" {
		t.Errorf("the log is %q", log.String())
	}
}

// Without a pause to come back, the end of one ends all, and says which.
func TestGroupEndsWithOne(t *testing.T) {
	t.Parallel()
	g := newGroup(t.Context(), t.TempDir(), io.Discard, io.Discard)
	g.start(process{name: "one", program: "/bin/sleep", args: []string{"100"}, back: -1})
	g.start(process{name: "two", program: "/bin/false", back: -1})
	if err := g.wait(); err == nil || err.Error() != "two ended: exit status 1" {
		t.Errorf("ended with %v", err)
	}
	g = newGroup(t.Context(), t.TempDir(), io.Discard, io.Discard)
	g.start(process{name: "one", program: "/nowhere", back: time.Millisecond})
	if err := g.wait(); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("ended with %v", err)
	}
}

// buffer is what was written, for several goroutines.
type buffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
