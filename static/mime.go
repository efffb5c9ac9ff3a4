package static

import (
	_ "embed"
	"strings"
	"sync"
)

// unknownType is the type of files whose extension says nothing.
const unknownType = "application/octet-stream"

//go:embed mimetypes.txt
var mimeTypes string

// typesByExtension is our own table: what the host's /etc/mime.types holds must not change what we answer, which is
// why package mime is not used. It is made at the first use and never changed.
var typesByExtension = sync.OnceValue(func() map[string]string {
	table := make(map[string]string, 1600)
	for line := range strings.Lines(mimeTypes) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var mediaType string
		for field := range strings.FieldsSeq(line) {
			if mediaType == "" {
				mediaType = field
				continue
			}
			table[field] = mediaType
		}
	}
	return table
})

// fileType is what the name of a file says about its answers. It is immutable.
type fileType struct {
	// contentType is the value of the Content-Type header, with charset.
	contentType []string
	// text tells whether the type is one that may have a charset and precompressed variants.
	text bool
}

// types finds the types of files for one handler. It may be used concurrently.
type types struct {
	charset string
	unknown *fileType
	known   sync.Map // extension → *fileType; as large as the table at most
}

// newTypes returns types that add a charset to texts; none when it is empty.
func newTypes(charset string) *types {
	t := &types{charset: charset}
	t.unknown = t.make(unknownType)
	return t
}

// of returns the type of a file by the extension of its name, in any case.
func (t *types) of(path string) *fileType {
	ext := extension(path)
	if ext == "" {
		return t.unknown
	}
	if found, ok := t.known.Load(ext); ok {
		return found.(*fileType)
	}
	lower := strings.ToLower(ext)
	mediaType, ok := typesByExtension()[lower]
	if !ok {
		return t.unknown
	}
	made := t.make(mediaType)
	if lower == ext { // other spellings are not kept: there is no end of them
		t.known.Store(strings.Clone(ext), made)
	}
	return made
}

func (t *types) make(mediaType string) *fileType {
	text := strings.HasPrefix(mediaType, "text/") || mediaType == "application/javascript"
	value := mediaType
	if text && t.charset != "" {
		value += "; charset=" + t.charset
	}
	return &fileType{contentType: []string{value}, text: text}
}

// extension returns what follows the last dot of a file's name; nothing when that dot is the name's first character.
func extension(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[i+1:]
	}
	return ""
}
