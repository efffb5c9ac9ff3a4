package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tempPrefix = "swindon-nats-"
	lockName   = "swindon.lock"
)

// unlockedAge is how old a folder without a lock file must be before it counts as left behind: a younger one may be
// about to get it.
const unlockedAge = time.Minute

// storeDir is the folder of the embedded server's buckets. It is locked as long as it is in use.
type storeDir struct {
	path string
	lock *os.File
	temp bool // remove it at the end
	log  *slog.Logger
}

// openStoreDir locks the given folder, which is created if need be, or for "" makes a private temporary one and removes
// those that killed processes of ours left behind (decision D46).
func openStoreDir(path string, log *slog.Logger) (*storeDir, error) {
	if path != "" {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("store-dir: %w", err)
		}
		lock, err := lockDir(path)
		if err != nil {
			return nil, fmt.Errorf("store-dir %s: %w", path, err)
		}
		return &storeDir{path: path, lock: lock, log: log}, nil
	}
	removeStale(os.TempDir(), log)
	for range 3 {
		dir, err := os.MkdirTemp("", tempPrefix)
		if err != nil {
			return nil, fmt.Errorf("temporary folder: %w", err)
		}
		lock, err := lockDir(dir)
		if err == nil {
			return &storeDir{path: dir, lock: lock, temp: true, log: log}, nil
		}
		// Another process took it for a stale one between the two steps.
		log.Debug("temporary folder lost", "folder", dir, "err", err)
	}
	return nil, errors.New("temporary folder: cannot lock one")
}

// errLocked says that another process uses the folder.
var errLocked = errors.New("in use by another process")

// lockDir takes the lock of a folder; it is released when the file is closed, also by the kernel after a kill.
func lockDir(dir string) (*os.File, error) {
	name := filepath.Join(dir, lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, errLocked
	}
	// Whoever removed stale folders may have removed this one between our opening and locking it.
	ours, err := f.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Lstat(name); err == nil && !os.SameFile(ours, there) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// close releases the folder and removes a temporary one.
func (d *storeDir) close() {
	if d.temp {
		if err := os.RemoveAll(d.path); err != nil {
			d.log.Warn("cannot remove the temporary folder", "folder", d.path, "err", err)
		}
	}
	d.lock.Close()
}

// removeStale removes our temporary folders that no process holds. Folders of other users are left alone.
func removeStale(tmp string, log *slog.Logger) {
	found, err := filepath.Glob(filepath.Join(tmp, tempPrefix+"*"))
	if err != nil {
		return // only for a bad pattern
	}
	for _, dir := range found {
		if !stale(dir) {
			continue
		}
		lock, err := lockDir(dir)
		if err != nil {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			log.Warn("cannot remove a stale temporary folder", "folder", dir, "err", err)
		} else {
			log.Info("removed a temporary folder that a killed process left behind", "folder", dir)
		}
		lock.Close()
	}
}

// stale tells whether dir may be a folder that was left behind: ours, a real folder, and with a lock file or old.
func stale(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); !ok || int(sys.Uid) != os.Getuid() {
		return false
	}
	if _, err := os.Lstat(filepath.Join(dir, lockName)); err != nil {
		return time.Since(info.ModTime()) > unlockedAge
	}
	return true
}
