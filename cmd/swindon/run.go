package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/logging"
	"github.com/swindon-go/swindon/internal/node"
)

// Exit statuses (configuration §1.1).
const (
	exitOK     = 0
	exitConfig = 1 // the configuration cannot be used, or the node cannot start with it
	exitUsage  = 2 // the command line is wrong, or privileges cannot be dropped
)

// run does what the command line asks for and returns the exit status.
func run(args, environ []string, stdout, stderr io.Writer) int {
	o, err := parse(args[1:])
	switch {
	case err != nil:
		fmt.Fprint(stderr, usage)
		fmt.Fprintf(stderr, "%s: %v\n", filepath.Base(args[0]), err)
		return exitUsage
	case bool(o.help):
		fmt.Fprint(stdout, usage)
		return exitOK
	case bool(o.version):
		fmt.Fprintln(stdout, ident.Version)
		return exitOK
	}
	loaded, err := config.Load(o.config, environ, nil)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitConfig
	}
	log := logger(loaded.Config, environ, stderr)
	if o.check {
		warn(log, loaded.Warnings, false)
		if o.verbose {
			fmt.Fprintf(stdout, "Config fingerprint: %s\n", loaded.Fingerprint)
		}
		return exitOK
	}
	return serve(o, loaded, environ, log, stdout, stderr)
}

// serve runs the node until a signal ends it.
func serve(o options, loaded *config.Loaded, environ []string, log *slog.Logger, stdout, stderr io.Writer) int {
	ctx, hangup, stop := node.Signals(context.Background(), os.Exit)
	defer stop()
	warn(log, loaded.Warnings, true)
	err := node.Run(ctx, node.Options{
		Loaded: loaded,
		Reload: func() (*config.Loaded, error) {
			l, err := config.Load(o.config, environ, nil)
			if err == nil {
				warn(log, l.Warnings, true)
			}
			return l, err
		},
		Hangup:  hangup,
		Log:     log,
		Stdout:  stdout,
		Verbose: bool(o.verbose),
	})
	var denied *node.PrivilegeError
	switch {
	case errors.As(err, &denied):
		fmt.Fprintln(stderr, err)
		return exitUsage
	case err != nil:
		fmt.Fprintf(stderr, "swindon: %v\n", err)
		return exitConfig
	}
	return exitOK
}

// logger writes the diagnostics in the configured form, with levels out of RUST_LOG.
func logger(c *config.Config, environ []string, stderr io.Writer) *slog.Logger {
	return logging.New(stderr, logging.Options{
		Levels: logging.ParseLevels(lookup(environ, "RUST_LOG")),
		JSON:   c.LogFormat == config.LogJSON,
		Color:  isTerminal(stderr),
	})
}

// warn logs warnings; those for the running process only when it runs.
func warn(log *slog.Logger, warnings []config.Warning, running bool) {
	for _, w := range warnings {
		if running || !w.AtRun {
			log.With(logging.ModuleKey, w.Module).Warn(w.Text) //nolint:sloglint // the text is the original's
		}
	}
}

// lookup returns the last value of an environment variable, or "".
func lookup(environ []string, name string) (value string) {
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// isTerminal tells whether colours would be seen by somebody.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
