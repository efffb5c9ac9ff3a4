package ws

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// The fan-out benchmark: subscribers and 64 publishers in a process of their own, which is this test binary with
// benchClientEnv set, and the processor time of the server's process for each delivery. "bare" is the usual gorilla
// program: a channel and a writer goroutine for each connection, which gathers what is queued into one write.

const (
	benchClientEnv  = "SWINDON_WS_BENCH_CLIENT"
	benchPublishers = 64
	benchTime       = 3 * time.Second
)

func TestMain(m *testing.M) {
	if arg := os.Getenv(benchClientEnv); arg != "" {
		benchClient(arg)
		return
	}
	verify(m)
}

// hub is what a variant of the server does.
type hub interface {
	subscribe(w http.ResponseWriter, r *http.Request)
	publish(payload []byte)
}

type bareHub struct {
	mu   sync.RWMutex
	subs []chan []byte
}

func (h *bareHub) subscribe(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: 512}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	ch := make(chan []byte, 1024)
	h.mu.Lock()
	h.subs = append(h.subs, ch)
	h.mu.Unlock()
	go func() {
		var buf []byte
		for m := range ch {
			buf = append(buf[:0], m...)
			for n := len(ch); n > 0; n-- {
				buf = append(buf, <-ch...)
			}
			_ = c.NetConn().SetWriteDeadline(time.Now().Add(30 * time.Second))
			if _, err := c.NetConn().Write(buf); err != nil {
				return
			}
		}
	}()
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return
		}
	}
}

func (h *bareHub) publish(payload []byte) {
	f := NewText(payload).bytes()
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, ch := range h.subs {
		ch <- f
	}
}

type ourHub struct {
	group *Group
	k     Counters
	mu    sync.RWMutex
	subs  []*Conn
}

func (h *ourHub) subscribe(w http.ResponseWriter, r *http.Request) {
	c, err := Take(w, r, Options{Group: h.group, Counters: &h.k})
	if err != nil {
		return
	}
	if err := c.Upgrade(""); err != nil {
		return
	}
	c.Release()
	c.Serve(func([]byte) error { return nil }, func(int, string) {})
	h.mu.Lock()
	h.subs = append(h.subs, c)
	h.mu.Unlock()
}

func (h *ourHub) publish(payload []byte) {
	f := NewText(payload)
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, c := range h.subs {
		_ = c.Send(f)
	}
}

func BenchmarkFanout(b *testing.B) {
	for _, subs := range []int{100, 1000, 5000} {
		for _, name := range []string{"bare", "ours"} {
			b.Run(fmt.Sprintf("%s/%d", name, subs), func(b *testing.B) {
				var h hub = &bareHub{}
				o := &ourHub{group: NewGroup()}
				if name == "ours" {
					h = o
				}
				for b.Loop() {
					fanout(b, h, subs)
				}
				if w := o.k.Writes.Load(); w > 0 {
					b.ReportMetric(float64(o.k.FramesOut.Load())/float64(w), "frames/write")
				}
			})
		}
	}
}

func fanout(b *testing.B, h hub, subs int) {
	var published atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			h.subscribe(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		h.publish(body)
		published.Add(1)
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchClientEnv+"="+l.Addr().String()+" "+strconv.Itoa(subs))
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		b.Fatal(line, err)
	}
	_, _ = io.WriteString(in, "go\n")
	time.Sleep(time.Second)
	cpu, n := cpuTime(b), published.Load()
	time.Sleep(benchTime)
	cpu, n = cpuTime(b)-cpu, published.Load()-n
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(n*int64(subs)), "cpu-ns/delivery")
	b.ReportMetric(float64(n*int64(subs))/benchTime.Seconds(), "deliveries/s")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchClient is the other process: arg is "ADDRESS SUBSCRIBERS".
func benchClient(arg string) {
	addr, n, _ := strings.Cut(arg, " ")
	subs, _ := strconv.Atoi(n)
	for range subs {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		br := bufio.NewReaderSize(c, 16)
		for line := ""; line != "\r\n"; {
			if line, err = br.ReadString('\n'); err != nil {
				fmt.Println(err)
				return
			}
		}
		go func() {
			raw, _ := c.(*net.TCPConn).SyscallConn()
			buf := make([]byte, 1<<10)
			_ = raw.Read(func(fd uintptr) bool {
				for {
					n, err := syscall.Read(int(fd), buf)
					if err != nil || n < len(buf) {
						return n == 0
					}
				}
			})
		}()
	}
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	for range benchPublishers {
		go publisher(addr)
	}
	_, _ = in.ReadString('\n')
}

func publisher(addr string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	req := []byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 128\r\n\r\n" + strings.Repeat("x", 128))
	br := bufio.NewReader(c)
	for {
		if _, err := c.Write(req); err != nil {
			return
		}
		for line := ""; line != "\r\n"; {
			if line, err = br.ReadString('\n'); err != nil {
				return
			}
		}
	}
}
