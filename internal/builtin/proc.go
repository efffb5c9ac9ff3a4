package builtin

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, which is 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// reading is one look at the counters of /proc.
type reading struct {
	at      time.Time
	ok      bool
	own     ticks
	system  systemTicks
	uptime  time.Duration
	memory  map[string]uint64 // KiB by the names of /proc/self/status
	io      map[string]uint64 // by the names of /proc/self/io
	threads map[string]ticks
}

// ticks are the CPU counters of a process or thread.
type ticks struct {
	pid      int
	name     string
	user     uint64
	system   uint64
	children uint64
	start    uint64 // after boot
}

// parseStat reads /proc/PID/stat. The name in it may hold blanks and parentheses: the last one ends it.
func parseStat(b []byte) (t ticks, ok bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return t, false
	}
	t.name = string(b[open+1 : end])
	var err error
	if t.pid, err = strconv.Atoi(strings.TrimSpace(string(b[:open]))); err != nil {
		return t, false
	}
	// The first field here is number 3 of proc(5).
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 20 {
		return t, false
	}
	t.user, t.system, t.start = number(f[11]), number(f[12]), number(f[19])
	t.children = number(f[13]) + number(f[14])
	return t, true
}

// systemTicks are the CPU counters of the machine.
type systemTicks struct {
	total uint64
	idle  uint64
	boot  uint64 // unix seconds
}

// parseSystem reads /proc/stat.
func parseSystem(b []byte) (s systemTicks) {
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		switch {
		case len(f) > 5 && f[0] == "cpu":
			// user nice system idle iowait irq softirq steal; guest times are in user already.
			for i, v := range f[1:min(len(f), 9)] {
				n := number(v)
				s.total += n
				if i == 3 || i == 4 {
					s.idle += n
				}
			}
		case len(f) == 2 && f[0] == "btime":
			s.boot = number(f[1])
		}
	}
	return s
}

// parseUptime reads /proc/uptime.
func parseUptime(b []byte) time.Duration {
	first, _, _ := strings.Cut(string(b), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil || seconds < 0 || seconds > 1e9 {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// parseFields reads lines of the form "Name: 123 kB".
func parseFields(b []byte) map[string]uint64 {
	out := map[string]uint64{}
	for line := range strings.Lines(string(b)) {
		name, rest, ok := strings.Cut(line, ":")
		if f := strings.Fields(rest); ok && len(f) > 0 {
			out[name] = number(f[0])
		}
	}
	return out
}

func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 63)
	return n
}

// threadName is "main" for the first thread; the others of a Go program share one name and have their number added.
func threadName(t ticks, pid int) string {
	if t.pid == pid {
		return "main"
	}
	return t.name + "-" + strconv.Itoa(t.pid)
}
