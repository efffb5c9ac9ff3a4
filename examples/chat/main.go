// Command chat is the example application: rooms over HTTP, pizza over NATS, and the program that starts all of it.
//
//	chat                 everything: the gateway, two chat backends, two pizza backends (make demo)
//	chat serve ADDR      one chat backend
//	chat pizza           one pizza backend
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/swindon-go/swindon/examples/chat/internal/demo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if len(args) > 0 && args[0] == "serve" {
		return serveChat(ctx, args[1:], log)
	}
	if len(args) > 0 && args[0] == "pizza" {
		return servePizza(ctx, args[1:], log)
	}
	fs := flag.NewFlagSet("chat", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var o demo.Options
	fs.StringVar(&o.Swindon, "swindon", "bin/swindon", "the gateway's program")
	fs.StringVar(&o.Dir, "dir", "examples/chat", "the folder of the example")
	fs.IntVar(&o.Port, "port", 8080, "the port of the page; the next five are used, too (0: any that are free)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	o.Stdout, o.Stderr = stdout, stderr
	return demo.Run(ctx, o)
}
