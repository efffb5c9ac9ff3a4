// Package builtin has the small handlers that need no configuration to speak of: empty gif, redirects, echo, status.
package builtin
