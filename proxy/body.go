package proxy

import "bytes"

// bodyKind is the way in which the end of a body is told.
type bodyKind uint8

const (
	bodyNone bodyKind = iota + 1
	bodyLength
	bodyChunked
	bodyUntilClose
)

// Limits of the parts of a chunked body that are not data.
const (
	maxChunkLine    = 4 << 10
	maxTrailerBytes = 64 << 10
)

// chunkState says what a chunked body goes on with.
type chunkState uint8

const (
	chunkSize    chunkState = iota // a size line
	chunkData                      // left bytes of data
	chunkDataEnd                   // the CR LF after data
	chunkTrailer                   // trailer lines up to an empty one
)

// body finds the data in a response's bytes and sees where the body ends. It does no reading of its own: bytes are
// given to it as they come.
type body struct {
	kind bodyKind
	// done: the body has ended. What follows does not belong to it.
	done bool
	// left is how many bytes of the body (bodyLength) or of the chunk (bodyChunked) are still to come.
	left    int64
	state   chunkState
	trailer int
}

// next takes data from the front of in. It returns a part of in, which may be empty, and how many bytes of in are
// used up. When nothing is used up although the body is not done, it needs more bytes behind those of in.
func (b *body) next(in []byte) (data []byte, used int, err error) {
	switch b.kind {
	case bodyLength:
		n := int(min(int64(len(in)), b.left))
		b.left -= int64(n)
		b.done = b.left == 0
		return in[:n], n, nil
	case bodyUntilClose:
		return in, len(in), nil
	case bodyChunked:
		return b.nextChunk(in)
	default:
		return nil, 0, nil
	}
}

// nextChunk returns the data of at most one chunk.
func (b *body) nextChunk(in []byte) (data []byte, used int, err error) {
	for !b.done {
		if b.state == chunkData {
			n := int(min(int64(len(in)-used), b.left))
			b.left -= int64(n)
			if b.left == 0 {
				b.state = chunkDataEnd
			}
			return in[used : used+n], used + n, nil
		}
		n, err := b.skipFraming(in[used:])
		if err != nil {
			return nil, used, err
		}
		if n == 0 {
			break
		}
		used += n
	}
	return nil, used, nil
}

// skipFraming reads one line of what stands between the data of a chunked body. It returns 0 if the line is incomplete.
func (b *body) skipFraming(in []byte) (int, error) {
	end := bytes.IndexByte(in, '\n')
	if end < 0 {
		if len(in) > maxChunkLine {
			return 0, malformed("chunk line too long")
		}
		return 0, nil
	}
	if end == 0 || in[end-1] != '\r' {
		return 0, malformed("bare LF in a chunked body")
	}
	line := in[:end-1]
	switch b.state {
	case chunkSize:
		n, ok := parseChunkSize(line)
		if !ok || len(line) > maxChunkLine {
			return 0, malformed("bad chunk size")
		}
		b.left, b.state = n, chunkData
		if n == 0 {
			b.state = chunkTrailer
		}
	case chunkDataEnd:
		if len(line) != 0 {
			return 0, malformed("chunk longer than its size")
		}
		b.state = chunkSize
	case chunkTrailer:
		if b.trailer += end + 1; b.trailer > maxTrailerBytes {
			return 0, malformed("trailer too long")
		}
		b.done = len(line) == 0
	case chunkData: // has no framing
	}
	return end + 1, nil
}

// parseChunkSize reads hexadecimal digits, of which an extension may follow after a semicolon.
func parseChunkSize(line []byte) (int64, bool) {
	var n int64
	digits := 0
	for digits < len(line) {
		c := line[digits]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return n, digits > 0 && validExtension(line[digits:])
		}
		if digits++; digits > 15 {
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, digits > 0
}

// validExtension tells whether what follows a chunk's size may be ignored: it begins with a semicolon, possibly after
// blanks, and holds no CR.
func validExtension(ext []byte) bool {
	t := bytes.TrimLeft(ext, " \t")
	return (len(t) == 0 || t[0] == ';') && bytes.IndexByte(ext, '\r') < 0
}

// gather moves the data that stands in buf to its front and returns its length and how many bytes of buf are used up.
// It stops at the end of the body or where more bytes are needed.
func (b *body) gather(buf []byte) (data, used int, err error) {
	for !b.done {
		p, n, err := b.next(buf[used:])
		if err != nil {
			return data, used, err
		}
		data += copy(buf[data:], p)
		used += n
		if n == 0 {
			break
		}
	}
	return data, used, nil
}
