//go:build unix

package sock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// pair returns both ends of a connection.
func pair(t *testing.T, network, address string) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if a, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	limit := time.Now().Add(10 * time.Second)
	_, _ = a.SetDeadline(limit), b.SetDeadline(limit)
	return a, b
}

func TestEverythingArrives(t *testing.T) {
	t.Parallel()
	for name, at := range map[string][2]string{"tcp": {"tcp", "127.0.0.1:0"}, "unix": {"unix", filepath.Join(t.TempDir(), "s")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := pair(t, at[0], at[1])
			from, to := Of(a), Of(b)
			var want bytes.Buffer
			sizes := [][2]int{{1, 0}, {0, 1}, {10, 20}, {quiet64, quiet64}, {quiet64, 1}, {quiet64 + 1, 0}, {3 << 20, 5 << 20}, {0, 0}, {7, 7}}
			pieces := make([][2][]byte, len(sizes))
			for i, s := range sizes {
				for j, n := range s {
					pieces[i][j] = bytes.Repeat([]byte{byte('a' + 2*i + j)}, n)
					want.Write(pieces[i][j])
				}
			}
			sent := make(chan error, 1)
			go func() {
				for _, p := range pieces {
					if n, err := from.WriteBoth(p[0], p[1]); err != nil || n != len(p[0])+len(p[1]) {
						sent <- errors.Join(err, errors.New("short write"))
						return
					}
				}
				sent <- a.Close()
			}()
			got, err := io.ReadAll(reader{to})
			if err != nil || !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%d bytes of %d arrived, or others: %v", len(got), want.Len(), err)
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
}

// quiet64 is the bound of a quiet call on systems that have such.
const quiet64 = 64 << 10

type reader struct{ c *Conn }

func (r reader) Read(p []byte) (int, error) { return r.c.Read(p) }

func TestDeadlines(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "tcp", "127.0.0.1:0")
	c := Of(a)
	_ = a.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %d, %v", n, err)
	}
	written := make(chan error, 1)
	go func() {
		n, err := c.Write(make([]byte, 64<<20))
		if n == 0 || n == 64<<20 {
			t.Errorf("%d bytes were written", n)
		}
		written <- err
	}()
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	_ = a.SetWriteDeadline(time.Now().Add(time.Millisecond))
	if err := <-written; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write: %v", err)
	}
}

// Errors are those of package net.
func TestErrors(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "tcp", "127.0.0.1:0")
	_ = b.(*net.TCPConn).SetLinger(0)
	_ = b.Close()
	c := Of(a)
	n, err := c.Read(make([]byte, 1))
	var op *net.OpError
	if n != 0 || !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "read" || op.Net != "tcp" {
		t.Errorf("Read of a reset connection: %d, %v", n, err)
	}
	if n, err := c.Write([]byte("x")); n != 0 || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write to a reset connection: %d, %v", n, err)
	}
	_ = a.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Op != "read" {
		t.Errorf("Read of a closed connection: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Op != "write" {
		t.Errorf("Write to a closed connection: %v", err)
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing: %d, %v", n, err)
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "tcp", "127.0.0.1:0")
	raw, err := b.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	on := func(f func(fd int)) {
		t.Helper()
		if err := raw.Control(func(fd uintptr) { f(int(fd)) }); err != nil {
			t.Fatal(err)
		}
	}
	// For long enough that some calls take the usual way.
	for range 2000 {
		on(func(fd int) {
			if n, err := Read(fd, make([]byte, 8)); n != 0 || !errors.Is(err, syscall.EAGAIN) {
				t.Fatalf("Read of nothing: %d, %v", n, err)
			}
			if !Silent(fd) {
				t.Fatal("not silent before anything was sent")
			}
			if n, err := WriteBoth(fd, []byte("ab"), []byte("c")); n != 3 || err != nil {
				t.Fatalf("WriteBoth: %d, %v", n, err)
			}
			if n, err := Write(fd, []byte("d")); n != 1 || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
		})
		got := make([]byte, 4)
		if _, err := io.ReadFull(a, got); err != nil || string(got) != "abcd" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if _, err := a.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	await(t, raw)
	on(func(fd int) {
		if Silent(fd) {
			t.Error("silent with something to read")
		}
		p := make([]byte, 8)
		if n, err := Read(fd, p); n != 1 || err != nil || p[0] != 'x' {
			t.Errorf("Read: %d, %v", n, err)
		}
	})
	_ = a.Close()
	await(t, raw)
	on(func(fd int) {
		if Silent(fd) {
			t.Error("silent at the end")
		}
		if n, err := Read(fd, make([]byte, 8)); n != 0 || err != nil {
			t.Errorf("Read at the end: %d, %v", n, err)
		}
		if n, err := Read(-1, make([]byte, 8)); n != 0 || !errors.Is(err, syscall.EBADF) {
			t.Errorf("Read of no socket: %d, %v", n, err)
		}
	})
}

// await waits until there is something to read.
func await(t *testing.T, raw syscall.RawConn) {
	t.Helper()
	if err := raw.Read(func(fd uintptr) bool { return !Silent(int(fd)) }); err != nil {
		t.Fatal(err)
	}
}

func TestNoSocket(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if Of(a) != nil || Quiet(a) != a {
		t.Error("a pipe was taken for a socket")
	}
}

func TestQuietIsTheConnection(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "tcp", "127.0.0.1:0")
	q := Quiet(a)
	if q.LocalAddr() != a.LocalAddr() {
		t.Error("another address")
	}
	if n, err := q.Write([]byte("hello")); n != 5 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(Quiet(b), got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	if n, err := Quiet(b).Read(got); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("Read at the end: %d, %v", n, err)
	}
}

// A call allocates nothing.
func TestAllocations(t *testing.T) {
	a, b := pair(t, "tcp", "127.0.0.1:0")
	from, to, p, q := Of(a), Of(b), make([]byte, 100), make([]byte, 100)
	if n := testing.AllocsPerRun(2000, func() {
		_, _ = from.WriteBoth(p, q)
		for got := 0; got < 200; {
			n, err := to.Read(p)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}); n > 0.5 {
		t.Errorf("%v allocations", n)
	}
}
