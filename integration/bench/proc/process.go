package proc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is one program under measurement or making load. Its methods may be called from one goroutine.
type Process struct {
	Name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	logs  *tail
	ended chan struct{} // closed when the process is gone
	err   error         // why it is gone, once ended is closed
}

// Start runs a program. Its standard output is for Ask; the last lines of its standard error are kept for error messages.
// The program ends with ctx.
func Start(ctx context.Context, name, path string, args ...string) (*Process, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	logs := &tail{}
	cmd.Stderr = logs
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &Process{Name: name, cmd: cmd, in: in, lines: bufio.NewScanner(out), logs: logs, ended: make(chan struct{})}
	go func() {
		state, err := cmd.Process.Wait()
		if err == nil && !state.Success() {
			err = errors.New(state.String())
		}
		p.err = err
		close(p.ended)
	}()
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// CPU is the time that the process and its descendants have used.
func (p *Process) CPU() (time.Duration, error) {
	var sum time.Duration
	for _, pid := range Tree(p.PID()) {
		used, err := CPU(pid)
		if err != nil {
			return 0, p.wrap(err)
		}
		sum += used
	}
	return sum, nil
}

// RSS is the process's own resident memory in bytes.
func (p *Process) RSS() (int64, error) {
	rss, err := RSS(p.PID())
	if err != nil {
		return 0, p.wrap(err)
	}
	return rss, nil
}

// Ask writes one line to a worker (nothing when the question is empty) and decodes its next line of output.
func (p *Process) Ask(question string, answer any) error {
	if question != "" {
		if _, err := io.WriteString(p.in, question+"\n"); err != nil {
			return p.wrap(err)
		}
	}
	if !p.lines.Scan() {
		return p.wrap(errors.Join(errors.New("no answer"), p.lines.Err()))
	}
	var failed struct{ Error string }
	if err := json.Unmarshal(p.lines.Bytes(), &failed); err == nil && failed.Error != "" {
		return p.wrap(errors.New(failed.Error))
	}
	return p.wrap(json.Unmarshal(p.lines.Bytes(), answer))
}

// Logs is the end of the process's standard error.
func (p *Process) Logs() string { return p.logs.String() }

// Stop ends the process: politely, and after ten seconds by force.
func (p *Process) Stop() {
	_ = p.in.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// Kill ends the process without warning.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

func (p *Process) wrap(err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-p.ended:
		err = fmt.Errorf("%w (the process ended: %v)", err, p.err)
	default:
	}
	if logs := p.logs.String(); logs != "" {
		return fmt.Errorf("%s: %w\n%s", p.Name, err, logs)
	}
	return fmt.Errorf("%s: %w", p.Name, err)
}

// tail keeps the last 4 KiB that were written to it.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	const most = 4 << 10
	if len(t.text) > most {
		t.text = t.text[len(t.text)-most:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
