package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"
)

// defaultConfig is the file that is read when the command line names none.
const defaultConfig = "/etc/swindon/main.yaml"

const usage = `Usage: swindon [options]

Serves HTTP, websockets and everything else that its configuration file describes.

Options:
  -c, --config FILE    configuration file (/etc/swindon/main.yaml)
  -C, --check-config   check the configuration and exit
      --verbose        print where it listens; with --check-config, print the fingerprint
      --version        print the version and exit
  -h, --help           print this help and exit

Any key of the configuration can be set by an environment variable, such as SWINDON__SESSION_POOLS__MAIN__PING_INTERVAL.
RUST_LOG chooses what is logged: "level" or "module=level,..."; the default is warn.
`

// options are the command line.
type options struct {
	config  string
	check   flag
	verbose flag
	version flag
	help    flag
}

// flag is a flag that takes no value: --verbose=x and even --verbose=true are mistakes (configuration §1.1).
type flag bool

// present is what pflag sets when a flag stands without value; no command line can hold it.
const present = "\x00"

func (f *flag) Set(s string) error {
	if s != present {
		return errors.New("it takes no value")
	}
	*f = true
	return nil
}

func (f *flag) String() string { return "" }

func (f *flag) Type() string { return "bool" }

// parse reads the command line.
func parse(args []string) (options, error) {
	o := options{config: defaultConfig}
	fs := pflag.NewFlagSet("swindon", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.StringVarP(&o.config, "config", "c", o.config, "")
	add := func(f *flag, name, short string) { fs.VarPF(f, name, short, "").NoOptDefVal = present }
	add(&o.check, "check-config", "C")
	add(&o.verbose, "verbose", "")
	add(&o.version, "version", "")
	add(&o.help, "help", "h")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return o, nil
}
