package builtin

import (
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Process is what !SelfStatus shows of the process. Times are milliseconds, memory is bytes, rates are per second over
// Duration. CPU is in percent: 100 is one core, for GlobalCPU all of them.
type Process struct {
	Timestamp         int64   `json:"timestamp"`
	Duration          int64   `json:"duration"`
	StartTime         int64   `json:"start_time"`
	SystemUptime      int64   `json:"system_uptime"`
	GlobalCPU         float64 `json:"global_cpu_usage"`
	ProcessCPU        float64 `json:"process_cpu_usage"`
	GrossCPU          float64 `json:"gross_cpu_usage"` // with the children that have ended
	MemoryRSS         int64   `json:"memory_rss"`
	MemoryVirtual     int64   `json:"memory_virtual"`
	MemorySwap        int64   `json:"memory_swap"`
	MemoryRSSPeak     int64   `json:"memory_rss_peak"`
	MemoryVirtualPeak int64   `json:"memory_virtual_peak"`
	MemorySwapPeak    int64   `json:"memory_swap_peak"` // since the program looks
	DiskRead          float64 `json:"disk_read"`
	DiskWrite         float64 `json:"disk_write"`
	DiskCancelled     float64 `json:"disk_cancelled"`
	IORead            float64 `json:"io_read"`
	IOWrite           float64 `json:"io_write"`
	IOReadOps         float64 `json:"io_read_ops"`
	IOWriteOps        float64 `json:"io_write_ops"`
}

// Thread is the CPU share of one thread, in percent of a core.
type Thread struct {
	CPU    float64 `json:"cpu_usage"`
	System float64 `json:"system_cpu"`
	User   float64 `json:"user_cpu"`
}

// sampleEvery is how old a sample must be before another is taken.
const sampleEvery = time.Second

// Sampler looks at the process through /proc. It does so when it is asked, at most once a second, and shows rates since
// the sample before: an idle process that nobody asks does nothing. All methods may be called concurrently.
type Sampler struct {
	root string
	now  func() time.Time

	mu       sync.Mutex // guards following
	last     reading
	peakSwap int64
	process  Process
	threads  map[string]Thread
	have     bool
}

// NewSampler returns a sampler and takes the first reading.
func NewSampler(now func() time.Time) *Sampler { return newSampler("/proc", now) }

func newSampler(root string, now func() time.Time) *Sampler {
	s := &Sampler{root: root, now: now}
	s.last = s.read()
	return s
}

// Sample returns the newest sample. There is none in the first second, nor where /proc cannot be read.
func (s *Sampler) Sample() (Process, map[string]Thread, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now().Sub(s.last.at) >= sampleEvery {
		next := s.read()
		if next.ok && s.last.ok {
			s.process, s.threads, s.have = s.compare(s.last, next), compareThreads(s.last, next), true
		}
		s.last = next
	}
	return s.process, maps.Clone(s.threads), s.have
}

// read takes a reading of all counters.
func (s *Sampler) read() reading {
	r := reading{at: s.now(), threads: map[string]ticks{}}
	file := func(name ...string) []byte {
		b, _ := os.ReadFile(filepath.Join(append([]string{s.root}, name...)...))
		return b
	}
	r.own, r.ok = parseStat(file("self", "stat"))
	r.system = parseSystem(file("stat"))
	r.uptime = parseUptime(file("uptime"))
	r.memory = parseFields(file("self", "status"))
	r.io = parseFields(file("self", "io")) // not ours to read any more after a change of user: zeros
	tasks, _ := os.ReadDir(filepath.Join(s.root, "self", "task"))
	for _, t := range tasks {
		if st, ok := parseStat(file("self", "task", t.Name(), "stat")); ok {
			r.threads[threadName(st, r.own.pid)] = st
		}
	}
	return r
}

// compare makes the rates between two readings; s.mu is held.
func (s *Sampler) compare(a, b reading) Process {
	elapsed := b.at.Sub(a.at).Seconds()
	cpu := func(from, to uint64) float64 { return 100 * since(from, to) / ticksPerSecond / elapsed }
	io := func(name string) float64 { return since(a.io[name], b.io[name]) / elapsed }
	mem := func(name string) int64 { return int64(b.memory[name]) << 10 }
	s.peakSwap = max(s.peakSwap, mem("VmSwap"))
	p := Process{
		Timestamp: b.at.UnixMilli(), Duration: b.at.Sub(a.at).Milliseconds(),
		StartTime:    int64(b.system.boot)*1000 + int64(b.own.start)*1000/ticksPerSecond,
		SystemUptime: b.uptime.Milliseconds(),
		ProcessCPU:   cpu(a.own.user+a.own.system, b.own.user+b.own.system),
		MemoryRSS:    mem("VmRSS"), MemoryVirtual: mem("VmSize"), MemorySwap: mem("VmSwap"),
		MemoryRSSPeak: mem("VmHWM"), MemoryVirtualPeak: mem("VmPeak"), MemorySwapPeak: s.peakSwap,
		DiskRead: io("read_bytes"), DiskWrite: io("write_bytes"), DiskCancelled: io("cancelled_write_bytes"),
		IORead: io("rchar"), IOWrite: io("wchar"), IOReadOps: io("syscr"), IOWriteOps: io("syscw"),
	}
	p.GrossCPU = p.ProcessCPU + cpu(a.own.children, b.own.children)
	if total := since(a.system.total, b.system.total); total > 0 {
		p.GlobalCPU = 100 * (total - since(a.system.idle, b.system.idle)) / total
	}
	return p
}

func compareThreads(a, b reading) map[string]Thread {
	elapsed := b.at.Sub(a.at).Seconds()
	out := make(map[string]Thread, len(b.threads))
	for name, to := range b.threads {
		from := a.threads[name] // zero for a thread that is new
		t := Thread{
			System: 100 * since(from.system, to.system) / ticksPerSecond / elapsed,
			User:   100 * since(from.user, to.user) / ticksPerSecond / elapsed,
		}
		t.CPU = t.System + t.User
		out[name] = t
	}
	return out
}

// since is how much a counter has grown; 0 when it went backwards.
func since(from, to uint64) float64 {
	if to < from {
		return 0
	}
	return float64(to - from)
}
