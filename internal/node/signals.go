package node

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// exitNow is the status of a process that a second signal ended: as a shell reports one that died of it.
const exitNow = 128

// Signals lets the process be steered by signals (decision D41): the first SIGTERM or SIGINT ends the context, a second
// one calls exit at once, SIGHUP asks for a reload. stop gives the signals back.
func Signals(parent context.Context, exit func(int)) (ctx context.Context, hangup <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 4)
	hup := make(chan struct{}, 1)
	done := make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				switch {
				case s == syscall.SIGHUP:
					select {
					case hup <- struct{}{}:
					default: // one is asked for already
					}
				case ctx.Err() == nil:
					cancel()
				default:
					n, _ := s.(syscall.Signal)
					exit(exitNow + int(n))
				}
			}
		}
	}()
	return ctx, hup, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
