// Natsd is a NATS server as a process of its own, so that a test can kill it and start it again on the same store. It takes one
// argument, a configuration file of nats-server, and ends at SIGTERM or SIGINT.
package main

import (
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "natsd:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d arguments instead of one configuration file", len(args))
	}
	options, err := server.ProcessConfigFile(args[0])
	if err != nil {
		return err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	if err := server.Run(s); err != nil {
		return err
	}
	s.WaitForShutdown()
	return nil
}
