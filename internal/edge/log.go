package edge

import (
	"net/http"
	"strconv"

	"github.com/swindon-go/swindon/internal/web"
)

// log writes the line of one request.
func (s *Server) log(t *Table, r *http.Request, rec *web.Record) {
	s.logging.Lock()
	defer s.logging.Unlock()
	line := s.line[:0]
	for _, part := range t.log {
		var ok bool
		if line, ok = part.append(line, r, rec); !ok {
			if !t.warned.Swap(true) {
				s.d.Log.Warn("Request log: unknown variable, nothing is logged", "variable", string(part.Variable))
			}
			return
		}
	}
	line = append(line, '\n')
	s.line = line // kept for its room
	_, _ = s.d.RequestLog.Write(s.line)
}

// append appends what a part shows of a request. It fails for an unknown variable.
func (p LogPart) append(b []byte, r *http.Request, rec *web.Record) ([]byte, bool) {
	switch p.Variable {
	case "":
		return append(b, p.Text...), true
	case LogClientIP:
		return rec.Peer.AppendTo(b), true
	case LogHost:
		if rec.RawHost == "" {
			return append(b, '-'), true
		}
		return append(b, rec.RawHost...), true
	case LogMethod:
		return append(b, r.Method...), true
	case LogPath:
		if rec.Form == web.FormAsterisk {
			return b, true
		}
		return append(b, rec.Target...), true
	case LogVersion:
		return append(b, r.Proto...), true
	case LogStatusCode:
		return strconv.AppendInt(b, int64(rec.Status), 10), true
	}
	return b, false
}
