package backend

// Level is a compatibility level of the protocol (protocol §2.1).
type Level int

// The three levels. LevelLatest is the default.
const (
	LevelOld5   Level = iota + 1 // before v0.6.0
	LevelOld6                    // from v0.6.0, before v0.7.0
	LevelLatest                  // from v0.7.0
)

// String names the level by the first version that has it.
func (l Level) String() string {
	switch l {
	case LevelOld5:
		return "v0.5"
	case LevelOld6:
		return "v0.6"
	case LevelLatest:
		return "v0.7"
	}
	return "unknown"
}

// Old tells whether reserved calls go to /tangle/…, authorization uses the scheme Tangle and content types are not
// looked at.
func (l Level) Old() bool { return l == LevelOld5 || l == LevelOld6 }

// Weak tells whether the content types of replies and of API requests are not looked at.
func (l Level) Weak() bool { return l.Old() }

// NeedsSubprotocol tells whether a handshake without any subprotocol is refused.
func (l Level) NeedsSubprotocol() bool { return l != LevelOld5 }

// Scheme is the scheme of the Authorization header, with the space that follows it.
func (l Level) Scheme() string {
	if l.Old() {
		return "Tangle "
	}
	return "Swindon+json "
}

// Reserved is a reserved call as a method, for choosing its destination: "swindon.authorize_connection".
func (l Level) Reserved(call string) string {
	if l.Old() {
		return "tangle." + call
	}
	return "swindon." + call
}

// path is a reserved call as the tail of a URL.
func (l Level) path(call string) string {
	if l.Old() {
		return "/tangle/" + call
	}
	return "/swindon/" + call
}
