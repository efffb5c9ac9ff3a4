package listen

import "bytes"

// repairTarget makes a request line acceptable to net/http, which refuses a path with a percent sign that is no escape
// ("/100%"). Such targets are common enough, and it is for routes, files and backends to judge them. It overwrites the
// bad percent signs of a whole request line at the beginning of b and returns the target as it was; "" when there is
// nothing to repair. Nothing is done for a line that has not come in one piece: that gets its 400.
func repairTarget(b []byte) string {
	line, _, whole := bytes.Cut(b, []byte{'\n'})
	_, rest, _ := bytes.Cut(line, []byte{' '})
	target, _, spaced := bytes.Cut(rest, []byte{' '})
	path, _, _ := bytes.Cut(target, []byte{'?'}) // queries are not looked at
	if !whole || !spaced || bytes.IndexByte(path, '%') < 0 {
		return ""
	}
	raw := ""
	for i, c := range path {
		if c != '%' || i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) {
			continue
		}
		if raw == "" {
			raw = string(target)
		}
		path[i] = '_'
	}
	return raw
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
