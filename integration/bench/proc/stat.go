// Package proc starts processes for a benchmark and reads what the kernel accounts to them.
package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of utime and stime in /proc/PID/stat: USER_HZ is 100 on every Linux architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU is the user and system time of a process so far (all its threads, without its children), with a grain of 10 ms.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(text))
}

// FineCPU is CPU by the clock of the process, with a grain of nanoseconds.
func FineCPU(pid int) (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED of the kernel's clock ids: what the scheduler has accounted
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &t); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// parseStat takes fields 14 and 15. The command's name in parentheses may itself hold blanks and parentheses, so counting starts
// after the last one.
func parseStat(text string) (time.Duration, error) {
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return 0, fmt.Errorf("no command in %q", text)
	}
	fields := strings.Fields(text[end+1:])
	const utime, stime = 11, 12 // fields 14 and 15, counted from the state, which is field 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("too few fields in %q", text)
	}
	var ticks int64
	for _, field := range []string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading %q: %w", text, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// RSS is the resident memory of a process in bytes (VmRSS).
func RSS(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseRSS(string(text))
}

func parseRSS(text string) (int64, error) {
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, "VmRSS:")
		if !found {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading %q: %w", line, err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("no VmRSS in status")
}

// Tree is a process and its descendants of this moment: nginx has a master and workers.
func Tree(pid int) []int {
	pids := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread ended meanwhile
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, Tree(child)...)
			}
		}
	}
	return pids
}
