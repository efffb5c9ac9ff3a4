package names

import "log/slog"

// Secret is a password or token out of the configuration. Whatever prints it, prints "[hidden]" instead; the text
// itself is taken with Reveal only.
type Secret string

const hidden = "[hidden]"

// Reveal returns the secret text.
func (s Secret) Reveal() string { return string(s) }

// String hides the text; the empty secret is shown as empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the text from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides the text from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the text from the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
