package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// group is a set of processes that live and end together.
type group struct {
	ctx  context.Context
	stop context.CancelCauseFunc
	wg   sync.WaitGroup
	mu   sync.Mutex // guards out
	out  io.Writer
}

func newGroup(ctx context.Context, out io.Writer) *group {
	ctx, stop := context.WithCancelCause(ctx)
	return &group{ctx: ctx, stop: stop, out: out}
}

// start runs a program; its output goes to the group's, each line with the name before it. The end of one ends all.
func (g *group) start(name, dir string, env []string, program string, args ...string) {
	cmd := exec.CommandContext(g.ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	// SIGTERM first, so that each can finish what it does; SIGKILL when that takes too long.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	// A group of its own: Ctrl-C reaches only us, and we stop the others in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	g.wg.Go(func() {
		s := bufio.NewScanner(r)
		for s.Scan() {
			g.mu.Lock()
			fmt.Fprintf(g.out, "%-8s %s\n", name, s.Bytes())
			g.mu.Unlock()
		}
		_, _ = io.Copy(io.Discard, r) // a line over the scanner's limit must not block the process
	})
	g.wg.Go(func() {
		err := cmd.Run()
		_ = w.Close()
		g.stop(fmt.Errorf("%s ended: %w", name, errOr(err)))
	})
}

// wait returns when all have ended, with the reason why the first did.
func (g *group) wait() error {
	g.wg.Wait()
	return context.Cause(g.ctx)
}

func errOr(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}
