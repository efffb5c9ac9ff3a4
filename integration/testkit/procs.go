package testkit

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// builds holds the programs that were built by this test process.
var builds = struct {
	mu    sync.Mutex // guards paths and dir; held while one is being built
	paths map[string]string
	dir   string
}{paths: make(map[string]string)}

// Binary builds a program of cmd/ (or any path below the repository's root) once per test process and returns its path. The
// environment variable SWINDON_TEST_BIN names a finished swindon instead: one built with -race, or another version.
func Binary(t testing.TB, pkg string) string {
	t.Helper()
	if path := os.Getenv("SWINDON_TEST_BIN"); path != "" && pkg == "cmd/swindon" {
		return path
	}
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if path, ok := builds.paths[pkg]; ok {
		return path
	}
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "swindon-test-bin-") //nolint:usetesting // the programs outlive this test; Cleanup removes them
		if err != nil {
			t.Fatal(err)
		}
		builds.dir = dir
	}
	path := filepath.Join(builds.dir, filepath.Base(pkg))
	build := exec.Command("go", "build", "-o", path, "./"+pkg)
	build.Dir = Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	builds.paths[pkg] = path
	return path
}

// Cleanup removes the built programs; call it at the end of TestMain.
func Cleanup() {
	builds.mu.Lock()
	defer builds.mu.Unlock()
	_ = os.RemoveAll(builds.dir)
	builds.dir, builds.paths = "", make(map[string]string)
}

// Root is the repository's root, found from this file.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Output is what a program that has ended left behind.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Run runs swindon to its end.
func Run(t testing.TB, args ...string) Output {
	t.Helper()
	cmd := exec.Command(Binary(t, "cmd/swindon"), args...)
	cmd.Env = []string{"RUST_LOG=warn"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(Patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return Output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// Process is a running program.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	Stdout *Log
	Stderr *Log
	ended  chan struct{}
}

// Start writes swindon.yaml, starts swindon on it and waits until it serves. Like the original's suite it gives the program
// no environment but the log levels. The first listen address of the configuration must be ${HTTP}.
func (e *Env) Start(config string) *Process {
	e.T.Helper()
	return e.StartFile(e.File("swindon.yaml", config), e.Addr("HTTP"))
}

// StartFile starts swindon on a file and waits until the address accepts connections.
func (e *Env) StartFile(file, addr string, more ...string) *Process {
	e.T.Helper()
	p := e.Launch(Binary(e.T, "cmd/swindon"), append([]string{"--verbose", "--config", file}, more...)...)
	p.Stdout.Await(e.T, "Listening at ")
	p.AwaitAddr(addr)
	return p
}

// Launch starts any program; it is stopped with the test at the latest.
func (e *Env) Launch(path string, args ...string) *Process {
	e.T.Helper()
	return e.LaunchWith(nil, path, args...)
}

// LaunchWith is Launch with further variables in the environment. SWINDON_TEST_LOG sets the level of logs, which are shown when the test
// fails.
func (e *Env) LaunchWith(environment []string, path string, args ...string) *Process {
	e.T.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append([]string{"RUST_LOG=" + cmp.Or(os.Getenv("SWINDON_TEST_LOG"), "info"), "RUST_BACKTRACE=1"}, environment...)
	cmd.Dir = e.Dir
	p := &Process{t: e.T, cmd: cmd, Stdout: newLog(), Stderr: newLog(), ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	if err := cmd.Start(); err != nil {
		e.T.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		p.Stdout.finish()
		p.Stderr.finish()
		close(p.ended)
	}()
	e.T.Cleanup(func() {
		p.Stop()
		for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
			if strings.Contains(p.Stderr.String(), sign) {
				e.T.Errorf("%s wrote %q", filepath.Base(path), sign)
			}
		}
		if e.T.Failed() {
			e.T.Logf("%s wrote:\n%s", filepath.Base(path), short(p.Stderr.String()))
		}
	})
	return p
}

// AwaitAddr waits until somebody accepts connections there.
func (p *Process) AwaitAddr(addr string) {
	p.t.Helper()
	Eventually(p.t, "listening at "+addr, func() bool {
		if p.Ended() {
			p.t.Fatalf("the program ended with status %d:\n%s", p.cmd.ProcessState.ExitCode(), short(p.Stderr.String()))
		}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
}

// Ended tells whether the process is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// Freeze stops the process where it is, connections open, and waits until it stands still; Thaw lets it go on.
func (p *Process) Freeze() {
	p.t.Helper()
	p.Signal(syscall.SIGSTOP)
	Eventually(p.t, "the process stands still", func() bool {
		// The state after the command's name in parentheses (proc_pid_stat(5)).
		text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
		return err != nil || strings.HasPrefix(string(text[bytes.LastIndexByte(text, ')')+1:]), " T")
	})
}

// Thaw undoes Freeze.
func (p *Process) Thaw() { p.t.Helper(); p.Signal(syscall.SIGCONT) }

// Wait waits for the end and returns the exit status; -1 when a signal ended the process.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("the program did not end:\n%s", short(p.Stderr.String()))
		<-p.ended
	}
	return p.cmd.ProcessState.ExitCode()
}

// Stop ends the process with SIGTERM and returns its exit status.
func (p *Process) Stop() int {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	return p.Wait()
}

// Kill ends the process without warning.
func (p *Process) Kill() {
	p.t.Helper()
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// Log is what a program writes; readers can wait for a text. It may be used from several goroutines.
type Log struct {
	mu      sync.Mutex // guards what follows
	text    []byte
	changed chan struct{} // closed and replaced at every write
	done    bool
}

func newLog() *Log { return &Log{changed: make(chan struct{})} }

// Write implements io.Writer.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	close(l.changed)
	l.changed = make(chan struct{})
	return len(b), nil
}

func (l *Log) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
	close(l.changed)
	l.changed = make(chan struct{})
}

// String is everything that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// Lines is what was written so far, by lines.
func (l *Log) Lines() []string {
	var lines []string
	for scanner := bufio.NewScanner(strings.NewReader(l.String())); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	return lines
}

// Await waits until the text was written.
func (l *Log) Await(t testing.TB, text string) {
	t.Helper()
	deadline := time.After(Patience)
	for {
		l.mu.Lock()
		found, done, changed := bytes.Contains(l.text, []byte(text)), l.done, l.changed
		l.mu.Unlock()
		if found {
			return
		}
		if done {
			t.Fatalf("the program ended without writing %q; it wrote:\n%s", text, short(l.String()))
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the program did not write %q; it wrote:\n%s", text, short(l.String()))
		}
	}
}

var _ io.Writer = (*Log)(nil)
