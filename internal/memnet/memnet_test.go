package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBytesArriveInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(100)
		data := make([]byte, 10_000)
		for i := range data {
			data[i] = byte(i * 7)
		}
		go func() {
			if n, err := a.Write(data); n != len(data) || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
			_ = a.CloseWrite()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		// The other direction is still open.
		if _, err := b.Write([]byte("answer")); err != nil {
			t.Error(err)
		}
		_ = b.Close()
		if got, err := io.ReadAll(a); string(got) != "answer" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		_ = a.Close()
	})
}

func TestWriteWaitsForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(10)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = a.Write(make([]byte, 11))
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Error("the write did not wait")
		default:
		}
		if _, err := b.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		<-done
		_ = a.Close()
		_ = b.Close()
	})
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(10)
		start := time.Now()
		_ = a.SetReadDeadline(start.Add(time.Minute))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}
		var ne net.Error
		if _, err := a.Read(make([]byte, 1)); !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("a deadline in the past: %v", err)
		}
		_ = a.SetWriteDeadline(time.Now().Add(time.Hour))
		if n, err := a.Write(make([]byte, 20)); n != 10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %d, %v", n, err)
		}
		// A deadline that is taken back frees the connection again, for a read that waits already, too.
		_ = a.SetDeadline(time.Time{})
		_ = a.SetReadDeadline(time.Now().Add(time.Second))
		got := make(chan error, 1)
		go func() {
			_, err := a.Read(make([]byte, 1))
			got <- err
		}()
		synctest.Wait()
		_ = a.SetReadDeadline(time.Time{})
		time.Sleep(time.Hour)
		_, _ = b.Write([]byte("x"))
		if err := <-got; err != nil {
			t.Error(err)
		}
		// One in the past wakes a read that waits.
		go func() {
			_, err := a.Read(make([]byte, 1))
			got <- err
		}()
		synctest.Wait()
		_ = a.SetReadDeadline(time.Unix(1, 0))
		if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		_ = a.Close()
		_ = b.Close()
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(10)
		got := make(chan error, 1)
		go func() {
			_, err := a.Read(make([]byte, 1))
			got <- err
		}()
		synctest.Wait()
		_, _ = a.Write([]byte("last"))
		_ = a.Close()
		_ = a.Close()
		if err := <-got; !errors.Is(err, net.ErrClosed) {
			t.Errorf("pending read: %v", err)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write to a closed peer: %v", err)
		}
		if p, err := io.ReadAll(b); string(p) != "last" || err != nil {
			t.Errorf("what was sent before the close: %q, %v", p, err)
		}
		_ = b.Close()
	})
}

func TestListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := Listen(0)
		client, err := l.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := server.RemoteAddr().String(), client.LocalAddr().String(); got != want || got == "" {
			t.Errorf("the server sees %s, the client is %s", got, want)
		}
		other, err := l.DialContext(context.Background(), "tcp", "example.com:80")
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan error, 1)
		_ = server.Close()
		_ = l.Close()
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
		if _, err := other.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a connection that nobody accepted: %v", err)
		}
		if _, err := l.Dial(context.Background()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Dial after Close: %v", err)
		}
	})
}

func TestDialWaitsForTheBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := Listen(0)
		for range backlog {
			if _, err := l.Dial(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := l.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		_ = l.Close()
	})
}
