package proc

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	line := "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 123 77 0 0 20 0 9 0 100 0 0"
	got, err := parseStat(line)
	if err != nil || got != 2*time.Second {
		t.Errorf("parseStat = %v, %v; want 2s", got, err)
	}
	for _, bad := range []string{"", "42 no command", "42 (a) S 1", "42 (a) S 1 42 42 0 -1 4194560 1 2 3 4 x 77 0"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("parseStat(%q) took it", bad)
		}
	}
}

func TestParseRSS(t *testing.T) {
	t.Parallel()
	got, err := parseRSS("Name:\tx\nVmRSS:\t    1024 kB\nThreads:\t9\n")
	if err != nil || got != 1<<20 {
		t.Errorf("parseRSS = %d, %v; want 1 MiB", got, err)
	}
	if _, err := parseRSS("Name:\tx\n"); err == nil {
		t.Error("parseRSS found memory in a status without it")
	}
}

func TestOwnProcess(t *testing.T) {
	t.Parallel()
	if rss, err := RSS(os.Getpid()); err != nil || rss < 1<<20 {
		t.Errorf("RSS of this process = %d, %v", rss, err)
	}
	if _, err := CPU(os.Getpid()); err != nil {
		t.Errorf("CPU of this process: %v", err)
	}
	if pids := Tree(os.Getpid()); pids[0] != os.Getpid() {
		t.Errorf("Tree = %v, does not begin with this process", pids)
	}
}

func TestFineCPU(t *testing.T) {
	t.Parallel()
	before, err := FineCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
	}
	after, err := FineCPU(os.Getpid())
	if err != nil || after-before < 5*time.Millisecond || after > time.Hour {
		t.Errorf("FineCPU went from %v to %v, %v", before, after, err)
	}
	if _, err := FineCPU(1 << 28); err == nil {
		t.Error("FineCPU of no process")
	}
}
