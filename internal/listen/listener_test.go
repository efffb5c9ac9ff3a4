package listen

import (
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// failing fails some accepts before the real ones.
type failing struct {
	*net.TCPListener
	errs []error
}

func (f *failing) AcceptTCP() (*net.TCPConn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	return f.TCPListener.AcceptTCP()
}

func TestAcceptPausesAfterErrors(t *testing.T) {
	t.Parallel()
	m, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	const pause = 30 * time.Millisecond
	g := New("main", Config{ErrorPause: pause}, Deps{Log: slog.New(slog.DiscardHandler), Metrics: m})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newListener(&failing{ln.(*net.TCPListener), []error{errors.New("too many files"), errors.New("too many files")}}, g)
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	start := time.Now()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if d := time.Since(start); d < 2*pause {
		t.Errorf("accepted after %v, two pauses take %v", d, 2*pause)
	}
	// Closing ends a pause.
	g.pause.Store(int64(time.Hour))
	l.acceptor.(*failing).errs = []error{errors.New("too many files")}
	done := make(chan error, 1)
	go func() { _, err := l.Accept(); done <- err }()
	_ = l.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
