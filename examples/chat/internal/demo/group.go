package demo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

// stopTimeout bounds the time in which a process ends after SIGTERM.
const stopTimeout = 15 * time.Second

// process is one program of the example.
type process struct {
	name, serves string // what the list shows
	program      string
	args, env    []string
	// back is how long after its end it is started again; negative: its end ends all, as does that it cannot be started.
	back time.Duration
}

// group is a set of processes that live together.
type group struct {
	ctx  context.Context
	stop context.CancelCauseFunc
	dir  string // where all of them run

	mu       sync.Mutex // guards what follows, and the writers
	out, log io.Writer  // what a reader is told; what the processes write
	running  []*running // in the order of their start
}

// running is a process and the program that runs for it at the moment.
type running struct {
	process
	pid     int           // guarded by the group's mu; 0: none
	release chan struct{} // closed when it is to end
	ended   chan struct{} // closed when it has ended for good
}

func newGroup(ctx context.Context, dir string, out, log io.Writer) *group {
	ctx, stop := context.WithCancelCause(ctx)
	return &group{ctx: ctx, stop: stop, dir: dir, out: out, log: log}
}

// start starts a process and keeps it running.
func (g *group) start(p process) {
	r := &running{process: p, release: make(chan struct{}), ended: make(chan struct{})}
	g.mu.Lock()
	g.running = append(g.running, r)
	g.mu.Unlock()
	go func() {
		defer close(r.ended)
		for again := true; again; {
			again = g.keep(r)
		}
	}()
}

// keep runs the program once. It tells whether to start it again, after the pause that is due.
func (g *group) keep(r *running) bool {
	pid, err := g.run(r)
	if r.back < 0 || pid == 0 {
		g.stop(fmt.Errorf("%s ended: %w", r.name, err))
		return false
	}
	select {
	case <-r.release:
		return false
	default:
	}
	g.tell("%s (pid %d) has ended: %v. It comes back in %v.", r.name, pid, err, r.back)
	select {
	case <-time.After(r.back):
		return true
	case <-r.release:
		return false
	}
}

// run runs the program until it ends or is released. Its output goes to the log, each line with the name before it.
func (g *group) run(r *running) (pid int, err error) {
	cmd := exec.Command(r.program, r.args...)
	cmd.Dir = g.dir
	cmd.Env = append(cmd.Environ(), r.env...)
	// A group of its own: Ctrl-C reaches only us, and we stop the others in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	in, out := io.Pipe()
	cmd.Stdout, cmd.Stderr = out, out
	var copying sync.WaitGroup
	copying.Go(func() { g.copyLines(r.name, in) })
	defer copying.Wait()
	defer out.Close()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	g.started(r, cmd.Process.Pid)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-r.release:
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(stopTimeout, func() { _ = cmd.Process.Kill() })
		err = <-done
		kill.Stop()
	}
	if err == nil {
		err = fmt.Errorf("exit status 0")
	}
	return cmd.Process.Pid, err
}

func (g *group) copyLines(name string, in io.Reader) {
	s := bufio.NewScanner(in)
	for s.Scan() {
		g.mu.Lock()
		fmt.Fprintf(g.log, "%-9s %s\n", name, s.Bytes())
		g.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, in) // a line over the scanner's limit must not block the process
}

func (g *group) started(r *running, pid int) {
	g.mu.Lock()
	again := r.pid != 0
	r.pid = pid
	g.mu.Unlock()
	if again {
		g.tell("%s is back (pid %d).", r.name, pid)
	}
}

// tell says something to the reader.
func (g *group) tell(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintf(g.out, "  "+format+"\n", args...)
}

// list shows what runs where.
func (g *group) list() {
	g.mu.Lock()
	defer g.mu.Unlock()
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	for _, r := range g.running {
		fmt.Fprintf(w, "  %s\tpid %d\t%s\n", r.name, r.pid, r.serves)
	}
	_ = w.Flush()
	_, _ = g.out.Write(text.Bytes())
}

// wait returns when the context has ended and with it all processes, the last started first; with the reason.
func (g *group) wait() error {
	<-g.ctx.Done()
	g.mu.Lock()
	all := g.running
	g.mu.Unlock()
	for _, r := range slices.Backward(all) {
		close(r.release)
		<-r.ended
	}
	return context.Cause(g.ctx)
}
