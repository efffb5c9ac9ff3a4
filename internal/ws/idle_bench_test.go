package ws

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// BenchmarkIdle (run one case at a time, since memory once resident stays so) measures the resident memory of an idle connection: (VmRSS with 10,000 - VmRSS before) / 10,000, ten
// seconds after the last: of clients that never said anything, and of clients that sent a message and later a pong.
func BenchmarkIdle(b *testing.B) {
	const conns = 10000
	for _, talk := range []string{"silent", "talk"} {
		b.Run("ours/"+talk, func(b *testing.B) {
			for b.Loop() {
				idle(b, &ourHub{group: NewGroup()}, conns, talk)
			}
		})
		b.Run("gorilla/"+talk, func(b *testing.B) {
			for b.Loop() {
				idle(b, gorillaHub{}, conns, talk)
			}
		})
	}
}

// gorillaHub reads with gorilla in a fresh goroutine, with the smallest buffers that make sense. It cannot send.
type gorillaHub struct{}

func (gorillaHub) subscribe(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{ReadBufferSize: 512, WriteBufferPool: &sync.Pool{}}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	go func() {
		for {
			if _, _, err := c.ReadMessage(); err != nil {
				_ = c.Close()
				return
			}
			deep(60)
		}
	}()
}

func (gorillaHub) publish([]byte) {}

func idle(b *testing.B, o hub, conns int, talk string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.subscribe(w, r) })}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	runtime.GC()
	before, goroutines := rss(b), runtime.NumGoroutine()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchClientEnv+"="+l.Addr().String()+" "+strconv.Itoa(conns))
	if talk == "talk" {
		cmd.Env[len(cmd.Env)-1] += " talk"
	}
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		b.Fatal(line, err)
	}
	time.Sleep(10 * time.Second)
	b.ReportMetric(float64(rss(b)-before)/float64(conns), "B/conn")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(conns), "goroutines/conn")
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.StackInuse)/float64(conns), "stack-B/conn")
	b.ReportMetric(float64(m.HeapAlloc)/float64(conns), "heap-B/conn")
	if h, ok := o.(*ourHub); ok {
		b.ReportMetric(float64(h.k.FramesIn.Load())/float64(conns), "frames-in/conn")
	}
	runtime.KeepAlive(o)
	_ = in.Close()
	_ = cmd.Wait()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
}

func rss(b *testing.B) int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc")
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, _ := strconv.Atoi(strings.Fields(rest)[0])
	return n << 10
}
