package static

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// file is an open file with what the kernel said about it. We use the system calls themselves: os.File would ask the
// poller to watch each file, which for files it never can, and costs an allocation with a finalizer.
type file struct {
	fd   int // -1: not open
	stat unix.Stat_t
}

// open opens a file of any kind for reading. Opening a FIFO or a device does not wait (O_NONBLOCK), and a terminal does
// not become ours. A regular file that nobody may read is refused to root, too.
func (f *file) open(path string) error {
	f.fd = -1
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "open", Path: path, Err: err}
		}
		f.fd = fd
		break
	}
	if err := unix.Fstat(f.fd, &f.stat); err != nil {
		f.close()
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if f.isRegular() && f.stat.Mode&0o444 == 0 {
		// Whoever closed it to everybody did not mean to except a server that happens to run as root.
		f.close()
		return &fs.PathError{Op: "open", Path: path, Err: unix.EACCES}
	}
	return nil
}

// look asks about a file without opening it.
func (f *file) look(path string) error {
	f.fd = -1
	if err := unix.Stat(path, &f.stat); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return nil
}

func (f *file) close() {
	if f.fd >= 0 {
		_ = unix.Close(f.fd)
		f.fd = -1
	}
}

func (f *file) isDir() bool     { return f.stat.Mode&unix.S_IFMT == unix.S_IFDIR }
func (f *file) isRegular() bool { return f.stat.Mode&unix.S_IFMT == unix.S_IFREG }

// readAt fills buf from an offset, or says that the file has become shorter.
func (f *file) readAt(buf []byte, offset int64) error {
	for len(buf) > 0 {
		n, err := unix.Pread(f.fd, buf, offset)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return os.NewSyscallError("pread", err)
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		buf = buf[n:]
		offset += int64(n)
	}
	return nil
}

// hand gives the descriptor to an os.File, which sendfile needs. The file is closed by closing that.
func (f *file) hand(path string) *os.File {
	out := os.NewFile(uintptr(f.fd), path)
	f.fd = -1
	return out
}

// oldest is the time before which a modification time is taken for none: it comes from a file system that keeps none.
var oldest = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// modified returns the modification time in whole seconds, zero when there is none worth telling.
func (f *file) modified() time.Time {
	sec, _ := f.stat.Mtim.Unix()
	if sec < oldest {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}

// etag returns a weak entity tag that changes whenever the kernel says that the file has changed or is another one. It
// is weak because two changes within one tick of the kernel's clock cannot be told apart.
func (f *file) etag() string {
	var in [48]byte
	put := binary.LittleEndian.PutUint64
	put(in[0:], uint64(f.stat.Size))
	put(in[8:], uint64(f.stat.Mtim.Nano()))
	put(in[16:], uint64(f.stat.Ctim.Nano()))
	put(in[24:], uint64(f.stat.Dev)) //nolint:unconvert // int32 on some systems
	put(in[32:], f.stat.Ino)
	sum := sha256.Sum256(in[:])
	var out [20]byte
	copy(out[:], `W/"`)
	base64.RawURLEncoding.Encode(out[3:19], sum[:12])
	out[19] = '"'
	return string(out[:])
}
