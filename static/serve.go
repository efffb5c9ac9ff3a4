package static

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"

	"github.com/swindon-go/swindon/internal/web"
)

// smallFile is up to which size a part is read into memory and written at once. Larger ones go by sendfile, which costs
// more calls but no copies.
const smallFile = 64 << 10

// server is what all static handlers have in common. It is immutable and may be used concurrently.
type server struct {
	pool *pool
	// jobs holds free *job, shared by the handlers of a configuration.
	jobs  *sync.Pool
	types *types
	extra web.ExtraHeaders
	log   *slog.Logger
	// contentType replaces the one that the file's name stands for; nil: it does not.
	contentType []string
}

// job is one request's working memory.
type job struct {
	found
	ranges rangeRequest
	buf    []byte // smallFile long
}

func newJob() any { return &job{buf: make([]byte, smallFile)} }

// serve answers a request with the file at a path, by the steps of configuration §5.4. onDir finds what to serve where
// the path is a directory: it returns what find returns.
func (s *server) serve(w http.ResponseWriter, r *http.Request, path string, onDir func(f *found, accept []string) int) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		web.Error(w, r, http.StatusMethodNotAllowed)
		return
	}
	ranges, ok := parseRange(r.Header["Range"])
	if !ok {
		web.Error(w, r, http.StatusRequestedRangeNotSatisfiable)
		return
	}
	if s.pool.enter(r.Context()) != nil {
		web.Error(w, r, http.StatusServiceUnavailable) // the client is gone
		return
	}
	j := s.jobs.Get().(*job)
	defer s.jobs.Put(j)
	j.ranges = ranges
	accept := r.Header["Accept-Encoding"]
	status := s.find(&j.found, path, accept)
	if status == statusDirectory {
		status = onDir(&j.found, accept)
	}
	if status != 0 {
		s.pool.leave()
		web.Error(w, r, status)
		return
	}
	defer j.file.close()
	s.answer(w, r, j)
}

// answer sends what was found. It leaves the pool when nothing more waits for the disk.
func (s *server) answer(w http.ResponseWriter, r *http.Request, j *job) {
	size := j.file.stat.Size
	v := validators{etag: j.file.etag(), modified: j.file.modified()}
	if status := v.check(r.Header); status != 0 {
		s.pool.leave()
		if status != http.StatusNotModified {
			web.Error(w, r, status)
			return
		}
		s.head(w.Header(), j, v)
		s.extra.AddTo(w.Header())
		w.WriteHeader(status)
		return
	}
	var spans []span
	if v.rangeApplies(r.Header) {
		var ok bool
		if spans, ok = j.ranges.resolve(size); !ok {
			s.pool.leave()
			web.ErrorWith(w, r, http.StatusRequestedRangeNotSatisfiable,
				http.Header{"Content-Range": {"bytes */" + strconv.FormatInt(size, 10)}})
			return
		}
	}
	h := w.Header()
	s.head(h, j, v)
	h["Accept-Ranges"] = acceptRanges
	if s.contentType == nil {
		h["Content-Type"] = j.kind.contentType
	}
	s.extra.AddTo(h)
	switch len(spans) {
	case 0:
		s.send(w, r, j, http.StatusOK, span{0, size})
	case 1:
		h["Content-Range"] = []string{spans[0].contentRange(size)}
		s.send(w, r, j, http.StatusPartialContent, spans[0])
	default:
		s.pool.leave()
		s.sendParts(w, r, j, spans)
	}
}

var acceptRanges = []string{"bytes"}

// head sets the headers that 200, 206 and 304 share.
func (s *server) head(h http.Header, j *job, v validators) {
	values := make([]string, 0, 2)
	if !v.modified.IsZero() {
		values = append(values, v.modified.Format(http.TimeFormat))
		h["Last-Modified"] = values[:1:1]
	}
	values = append(values, v.etag)
	h["Etag"] = values[len(values)-1:]
	if j.encoding != "" {
		h["Content-Encoding"] = []string{j.encoding}
	}
	if j.kind.text {
		h["Vary"] = vary
	}
	if s.contentType != nil {
		h["Content-Type"] = s.contentType
	}
}

var vary = []string{"Accept-Encoding"}

// send sends one part of the file as the body. A file that became shorter meanwhile leaves the body incomplete, upon
// which net/http closes the connection.
func (s *server) send(w http.ResponseWriter, r *http.Request, j *job, status int, part span) {
	w.Header()["Content-Length"] = []string{strconv.FormatInt(part.length, 10)}
	switch {
	case r.Method == http.MethodHead || part.length == 0:
		s.pool.leave()
		w.WriteHeader(status)
	case part.length <= smallFile:
		buf := j.buf[:part.length]
		err := j.file.readAt(buf, part.start)
		s.pool.leave()
		if err != nil {
			s.broken(j, err)
			if err != io.ErrUnexpectedEOF { //nolint:errorlint // readAt returns it as it is
				web.Error(w, r, http.StatusInternalServerError)
				return
			}
			// The head says how long the file was; without the whole of it the client must not take it for complete.
			w.WriteHeader(status)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write(buf)
	default:
		s.pool.leave()
		w.WriteHeader(status)
		f := j.file.hand(j.path)
		defer func() { _ = f.Close() }()
		if _, err := f.Seek(part.start, io.SeekStart); err != nil {
			s.broken(j, err)
			return
		}
		// io.Copy finds the writer's ReadFrom, and below it the socket's, which is sendfile.
		if n, err := io.Copy(w, &io.LimitedReader{R: f, N: part.length}); err == nil && n < part.length {
			s.broken(j, io.ErrUnexpectedEOF)
		}
	}
}

// sendParts sends several parts as multipart/byteranges (RFC 9110 §14.6).
func (s *server) sendParts(w http.ResponseWriter, r *http.Request, j *job, spans []span) {
	h := w.Header()
	boundary := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
	heads := make([]string, len(spans))
	end := "\r\n--" + boundary + "--\r\n"
	length := int64(len(end))
	for i, part := range spans {
		heads[i] = "\r\n--" + boundary + "\r\nContent-Type: " + h.Get("Content-Type") +
			"\r\nContent-Range: " + part.contentRange(j.file.stat.Size) + "\r\n\r\n"
		length += int64(len(heads[i])) + part.length
	}
	h["Content-Type"] = []string{"multipart/byteranges; boundary=" + boundary}
	h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	w.WriteHeader(http.StatusPartialContent)
	if r.Method == http.MethodHead {
		return
	}
	f := j.file.hand(j.path)
	defer func() { _ = f.Close() }()
	for i, part := range spans {
		if _, err := io.WriteString(w, heads[i]); err != nil {
			return
		}
		if _, err := io.Copy(w, io.NewSectionReader(f, part.start, part.length)); err != nil {
			return
		}
	}
	_, _ = io.WriteString(w, end)
}

// broken notes that a file could not be sent to its end.
func (s *server) broken(j *job, err error) {
	s.log.Error("File changed while it was sent", slog.String("path", j.path), slog.Any("err", err))
}
