package ws

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
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
	answered atomic.Int64
	mu       sync.RWMutex
	subs     []chan []byte
}

func (h *bareHub) subscribe(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: 512}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	ch := make(chan []byte, 1024)
	defer close(ch)
	h.mu.Lock()
	h.subs = append(h.subs, ch)
	h.mu.Unlock()
	defer h.forget(ch)
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
		_, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		h.answered.Add(1)
		ch <- NewText(p).bytes()
	}
}

func (h *bareHub) forget(ch chan []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs = slices.DeleteFunc(h.subs, func(c chan []byte) bool { return c == ch })
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
	answered atomic.Int64
	group    *Group
	k        Counters
	mu       sync.RWMutex
	subs     []*Conn
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
	c.Serve(func(p []byte) error {
		deep(60)
		h.answered.Add(1)
		return c.Send(NewText(p))
	}, func(int, string) {})
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

// BenchmarkEcho is 100 connections with 1 or 8 messages of 128 bytes in flight.
func BenchmarkEcho(b *testing.B) {
	for _, flight := range []int{1, 8} {
		b.Run(fmt.Sprintf("bare/%d", flight), func(b *testing.B) {
			h := &bareHub{}
			for b.Loop() {
				measure(b, h, fmt.Sprintf("100 echo %d", flight), &h.answered, 1)
			}
		})
		b.Run(fmt.Sprintf("ours/%d", flight), func(b *testing.B) {
			h := &ourHub{group: NewGroup()}
			for b.Loop() {
				measure(b, h, fmt.Sprintf("100 echo %d", flight), &h.answered, 1)
			}
		})
	}
}

func fanout(b *testing.B, h hub, subs int) {
	var published atomic.Int64
	measure(b, publishing{h, &published}, strconv.Itoa(subs), &published, subs)
}

// publishing counts what is published.
type publishing struct {
	hub
	n *atomic.Int64
}

func (p publishing) publish(payload []byte) {
	p.hub.publish(payload)
	p.n.Add(1)
}

// measure starts a server and the other process and measures for benchTime. count counts events, each of which makes so
// many deliveries.
func measure(b *testing.B, h hub, client string, count *atomic.Int64, deliveries int) {
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
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchClientEnv+"="+l.Addr().String()+" "+client)
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
	cpu, n := cpuTime(b), count.Load()
	time.Sleep(benchTime)
	cpu, n = cpuTime(b)-cpu, count.Load()-n
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(n*int64(deliveries)), "cpu-ns/delivery")
	b.ReportMetric(float64(n*int64(deliveries))/benchTime.Seconds(), "deliveries/s")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchClient is the other process: arg is "ADDRESS SUBSCRIBERS", then "talk" if each is to send a message and a pong, or "echo" and the
// number of messages in flight.
func benchClient(arg string) {
	args := strings.Fields(arg)
	addr := args[0]
	subs, _ := strconv.Atoi(args[1])
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
		if len(args) == 3 {
			_, _ = c.Write(join(masked(OpText, strings.Repeat("x", 128)), masked(OpPong, "")))
		}
		if len(args) == 4 {
			flight, _ := strconv.Atoi(args[3])
			go echoer(c, flight)
			continue
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
		if len(args) == 2 {
			go publisher(addr)
		}
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

// echoer sends a message for each that comes back.
func echoer(c net.Conn, flight int) {
	msg := masked(OpText, strings.Repeat("x", 128))
	back := len(msg) - 4 // the answer has no mask
	all := bytes.Repeat(msg, flight)
	buf := make([]byte, 4096)
	if _, err := c.Write(all); err != nil {
		return
	}
	for got := 0; ; {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		got += n
		if _, err := c.Write(all[:got/back*len(msg)]); err != nil {
			return
		}
		got %= back
	}
}
