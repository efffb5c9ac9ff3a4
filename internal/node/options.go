package node

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/swindon-go/swindon/internal/config"
)

// Options are what a node is started with.
type Options struct {
	// Loaded is the configuration to start with. Required.
	Loaded *config.Loaded
	// Reload reads the configuration anew; nil: it never changes. The error says what is wrong with it.
	Reload func() (*config.Loaded, error)
	// Hangup asks for a reload at once, whatever the files' times say. May be nil.
	Hangup <-chan struct{}
	// Log takes the diagnostics. Required.
	Log *slog.Logger
	// Stdout takes the request log and the "Listening at" lines; nil discards them.
	Stdout io.Writer
	// Verbose prints a line whenever the list of listening addresses changes.
	Verbose bool
}

// PrivilegeError says that the process could not become the configured user or group (exit status 2).
type PrivilegeError struct{ Cause error }

// Error is what the command prints.
func (e *PrivilegeError) Error() string { return fmt.Sprintf("Can't drop privileges: %v", e.Cause) }

// Unwrap returns the cause.
func (e *PrivilegeError) Unwrap() error { return e.Cause }
