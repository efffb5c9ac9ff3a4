package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/blake2b"
)

// maxFile bounds one file, in bytes.
const maxFile = 16 << 20

// maxFiles bounds the files of one configuration, each counted as often as it is included.
const maxFiles = 1000

// Source is one file that took part in a configuration, as it was when it was read.
type Source struct {
	Path string
	info os.FileInfo
}

// Sources are the files of a configuration.
type Sources []Source

// Changed tells whether a file is another one, or was written, since it was read; one that is gone counts as changed.
// Symbolic links are followed, so that a ConfigMap volume whose link was swapped shows (decision D40).
func (s Sources) Changed() bool {
	for _, f := range s {
		now, err := os.Stat(f.Path)
		if err != nil || f.info == nil || !os.SameFile(now, f.info) ||
			!now.ModTime().Equal(f.info.ModTime()) || now.Size() != f.info.Size() {
			return true
		}
	}
	return false
}

// ModTime is when the newest file was written.
func (s Sources) ModTime() time.Time {
	var newest time.Time
	for _, f := range s {
		if f.info != nil && f.info.ModTime().After(newest) {
			newest = f.info.ModTime()
		}
	}
	return newest
}

// files reads the files of one configuration and keeps the fingerprint over them.
type files struct {
	sources Sources
	sum     hash.Hash
}

func newFiles() *files {
	// New512 fails for overlong keys only; there is none.
	sum, _ := blake2b.New512(nil)
	return &files{sum: sum}
}

// read returns a file's content. The label stands for the file in the fingerprint (configuration §2.12): it does not
// depend on where the files lie.
func (f *files) read(path, label string) ([]byte, error) {
	if len(f.sources) >= maxFiles {
		return nil, fmt.Errorf("more than %d files", maxFiles)
	}
	text, info, err := readFile(path)
	f.sources = append(f.sources, Source{Path: path, info: info})
	if err != nil {
		return nil, err
	}
	_, _ = io.WriteString(f.sum, label)
	_, _ = f.sum.Write([]byte{0})
	_, _ = f.sum.Write(text)
	return text, nil
}

// fingerprint is the digest in hex.
func (f *files) fingerprint() string { return hex.EncodeToString(f.sum.Sum(nil)) }

// readFile reads a file and what it was at that moment.
func readFile(path string) (text []byte, info os.FileInfo, err error) {
	// A FIFO would block in open, at each reload again.
	if st, err := os.Stat(path); err != nil {
		return nil, nil, err
	} else if st.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		return nil, nil, &os.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if info, err = file.Stat(); err != nil {
		return nil, nil, err
	}
	text, err = io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = &os.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d bytes", maxFile)}
	}
	return text, info, err
}

// relative checks a path that is written in a configuration: it may lead downwards only.
func relative(path string) bool {
	if path == "" || strings.ContainsRune(path, 0) || filepath.IsAbs(path) {
		return false
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		// "a//b" and "a/./b" mean the same as "a/b", as everywhere; a leading "./" is refused.
		if part == ".." || i == 0 && (part == "." || part == "") {
			return false
		}
	}
	return true
}
