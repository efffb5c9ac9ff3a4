//go:build linux && (amd64 || arm64) && !race

package sock

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// quietSize bounds what is copied in one quiet call, in bytes: while it runs, the scheduler can take nothing from this
// thread. To copy so much takes some 20 microseconds; on loopback the other side's share of the work comes on top.
const quietSize = 64 << 10

// quietTime is how long all calls are quiet before one takes the usual way. A busy program's monitor has to be awake: it
// interrupts goroutines that run for long, and looks at the network when nobody else does. So the first call after a pause
// wakes it, and under a load it is never asleep for longer than this.
const quietTime = 10 * time.Millisecond

var (
	begun    = time.Now()
	lastTold atomic.Int64 // nanoseconds since begun
)

// told tells whether a call is to take the usual way.
func told() bool {
	now, last := int64(time.Since(begun)), lastTold.Load()
	return now-last >= int64(quietTime) && lastTold.CompareAndSwap(last, now)
}

// Read is one call of read(2). It returns syscall.EAGAIN when nothing is there, and 0 without an error at the end.
func Read(fd int, p []byte) (int, error) {
	if told() {
		return read(fd, p)
	}
	p = p[:min(len(p), quietSize)]
	return quietly(syscall.SYS_READ, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p)) //nolint:gosec // the kernel is done with it when the call is
}

// Silent tells whether there is nothing to read: no bytes, no end and no error.
func Silent(fd int) bool {
	var b [1]byte
	p := unsafe.Pointer(&b) //nolint:gosec // as above
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(p), uintptr(len(b)), syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return errno == syscall.EAGAIN
}

// Write is one call of write(2). It may write less than p; it returns syscall.EAGAIN when there is no room at all.
func Write(fd int, p []byte) (int, error) {
	if len(p) > quietSize || told() {
		return write(fd, p)
	}
	return quietly(syscall.SYS_WRITE, fd, unsafe.Pointer(unsafe.SliceData(p)), len(p)) //nolint:gosec // as above
}

// WriteBoth is Write for two pieces, of which neither is empty: writev(2).
func WriteBoth(fd int, a, b []byte) (int, error) {
	if len(a)+len(b) > quietSize || told() {
		return writev(fd, a, b)
	}
	pieces := [2]syscall.Iovec{{Base: unsafe.SliceData(a)}, {Base: unsafe.SliceData(b)}} //nolint:gosec // as above
	pieces[0].SetLen(len(a))
	pieces[1].SetLen(len(b))
	return quietly(syscall.SYS_WRITEV, fd, unsafe.Pointer(&pieces), len(pieces)) //nolint:gosec // as above
}

func quietly(call uintptr, fd int, p unsafe.Pointer, n int) (int, error) {
	for {
		done, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(p), uintptr(n))
		switch errno {
		case 0:
			return int(done), nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
