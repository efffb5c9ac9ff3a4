package static

import (
	"errors"
	"log/slog"
	"net/http"

	"golang.org/x/sys/unix"
)

// statusDirectory is find's answer for a directory; it is no HTTP status.
const statusDirectory = -1

// found is what is to be served: the plain file or a precompressed variant.
type found struct {
	file file
	kind *fileType
	// path is the path of what was opened.
	path     string
	encoding string
}

// find opens what is to be served for a path, by steps 3 to 5 of configuration §5.4. It returns 0, statusDirectory, or
// the status of the error page; only with 0 is a file open. Accept are the request's Accept-Encoding headers.
//
// The plain file must exist whatever variant is served. It is opened rather than asked about, which saves a system call
// in the usual case; that it cannot be opened matters only when it is what is to be served.
func (s *server) find(f *found, path string, accept []string) int {
	f.path, f.encoding = path, ""
	f.kind = s.types.of(path)
	plainStatus := 0
	if err := f.file.open(path); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return http.StatusNotFound
		}
		plainStatus = s.status(err)
		if err := f.file.look(path); err != nil {
			return s.logged(err, s.status(err))
		}
		if !f.file.isDir() && !f.file.isRegular() {
			plainStatus = http.StatusForbidden
		}
		if plainStatus == http.StatusInternalServerError {
			s.logged(err, plainStatus)
		}
	}
	if f.file.isDir() {
		f.file.close()
		return statusDirectory
	}
	if f.kind.text && len(accept) > 0 {
		if done, status := s.findVariant(f, path, accept); done {
			return status
		}
	}
	if plainStatus == 0 && !f.file.isRegular() {
		plainStatus = http.StatusForbidden
	}
	if plainStatus != 0 {
		f.file.close()
	}
	return plainStatus
}

// findVariant tries the precompressed variants that the client accepts. It is not done when the plain file is the one
// to serve.
func (s *server) findVariant(f *found, path string, accept []string) (done bool, status int) {
	for _, e := range accepted(accept) {
		if e.name == "" {
			return false, 0
		}
		var variant file
		err := variant.open(path + e.suffix)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENAMETOOLONG) {
			continue
		}
		f.file.close()
		if err != nil {
			if variant.look(path+e.suffix) == nil && !variant.isRegular() {
				return true, http.StatusForbidden
			}
			return true, s.logged(err, s.status(err))
		}
		if !variant.isRegular() {
			variant.close()
			return true, http.StatusForbidden
		}
		f.file, f.path, f.encoding = variant, path+e.suffix, e.name
		return true, 0
	}
	return false, 0
}

// status is the error page's status for what the kernel said.
func (s *server) status(err error) int {
	switch {
	case errors.Is(err, unix.ENOENT):
		return http.StatusNotFound
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}

// logged notes what is not the client's doing.
func (s *server) logged(err error, status int) int {
	if status == http.StatusInternalServerError {
		s.log.Error("Cannot serve file", slog.Any("err", err))
	}
	return status
}
