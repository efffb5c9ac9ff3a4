// Command swindon-dev serves files, proxied routes and gateway routes from the command line, for development.
//
//	swindon-dev ./public /api/=http://localhost:8111 --lattice /ws=http://localhost:8111
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/swindon-go/swindon/internal/config"
	"github.com/swindon-go/swindon/internal/dev"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/logging"
	"github.com/swindon-go/swindon/internal/node"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

const usage = `Usage: swindon-dev [options] ROUTE ...

A ROUTE is DEST, /path=DEST, sub=DEST or sub/path=DEST, where DEST is a directory or http://host[:port][/path].
Everything is served on 127.0.0.1, for localhost and devd.io (sub: sub.devd.io).

Options:
%s`

// options are the command line beyond what dev.Options holds.
type options struct {
	dev.Options

	showConfig, quiet, version, help bool
}

func parse(args []string) (options, *pflag.FlagSet, error) {
	var o options
	fs := pflag.NewFlagSet("swindon-dev", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.SortFlags = false
	fs.IntVarP(&o.Port, "port", "p", dev.DefaultPort, "listening port")
	fs.StringArrayVar(&o.Lattices, "lattice", nil, "gateway route `PATTERN=http://host[:port]`; repeatable: browsers' calls and\nauthorizations go to that address")
	fs.IntVar(&o.APIPort, "api-port", 0, "`port` of the backend API of gateway routes (the one after --port)")
	fs.StringVar(&o.NATS, "nats", "", "`address` on which backends that speak NATS connect")
	fs.StringArrayVar(&o.NATSCalls, "nats-calls", nil, "method `pattern`, such as 'pizza.*', whose calls go to NATS backends; repeatable")
	fs.BoolVar(&o.CrossDomain, "crossdomain", false, "add Access-Control-Allow-Origin: *")
	fs.BoolVar(&o.showConfig, "show-config", false, "print the configuration and exit")
	fs.BoolVar(&o.quiet, "quiet", false, "do not print where it listens")
	fs.BoolVar(&o.version, "version", false, "print the version and exit")
	fs.BoolVarP(&o.help, "help", "h", false, "print this help and exit")
	err := fs.Parse(args)
	o.Routes = fs.Args()
	return o, fs, err
}

// run returns the exit status: 2 for mistakes on the command line, 1 when it cannot start.
func run(args []string, stdout, stderr io.Writer) int {
	o, fs, err := parse(args)
	switch {
	case err != nil:
		return misused(fs, err, stderr)
	case o.help:
		fmt.Fprintf(stdout, usage, fs.FlagUsages())
		return 0
	case o.version:
		fmt.Fprintln(stdout, ident.Version)
		return 0
	}
	text, err := dev.Config(o.Options)
	if err != nil {
		return misused(fs, err, stderr)
	}
	if o.showConfig {
		fmt.Fprint(stdout, text)
		return 0
	}
	return serve(o, text, stdout, stderr)
}

func misused(fs *pflag.FlagSet, err error, stderr io.Writer) int {
	fmt.Fprintf(stderr, usage, fs.FlagUsages())
	fmt.Fprintf(stderr, "swindon-dev: %v\n", err)
	return 2
}

func serve(o options, text string, stdout, stderr io.Writer) int {
	log := logging.New(stderr, logging.Options{Levels: logging.ParseLevels(os.Getenv("RUST_LOG"))})
	loaded, err := config.FromBytes("<generated>", []byte(text))
	if err != nil {
		log.Warn("The generated configuration is not valid. Please report this as a bug, with the command line", "err", err)
		return 2
	}
	if !o.quiet {
		if api := o.API(); api != "" {
			fmt.Fprintf(stdout, "Backend API at %s\n", api)
		}
		if o.NATS != "" {
			fmt.Fprintf(stdout, "NATS for backends at %s\n", o.NATS)
		}
	}
	ctx, _, stop := node.Signals(context.Background(), os.Exit)
	defer stop()
	err = node.Run(ctx, node.Options{Loaded: loaded, Log: log, Stdout: stdout, Verbose: !o.quiet})
	var denied *node.PrivilegeError
	switch {
	case errors.As(err, &denied):
		fmt.Fprintln(stderr, err)
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "swindon-dev: %v\n", err)
		return 1
	}
	return 0
}
