// Command chat is the example application: rooms over HTTP, pizza over NATS, and the program that starts all of it.
//
//	chat                 everything: the gateway, two chat backends, two pizza backends (make demo)
//	chat -cluster        everything several times: three NATS servers, two gateways, a front (make demo-cluster)
//	chat serve           one chat backend
//	chat pizza           one pizza backend
//	chat nats            one NATS server of a cluster
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
	"time"

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
	commands := map[string]func(context.Context, []string, *slog.Logger) error{"serve": serveChat, "pizza": servePizza, "nats": serveNATS}
	if len(args) > 0 && commands[args[0]] != nil {
		return commands[args[0]](ctx, args[1:], log)
	}
	fs := flag.NewFlagSet("chat", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var o demo.Options
	fs.StringVar(&o.Swindon, "swindon", "bin/swindon", "the gateway's program")
	fs.StringVar(&o.Dir, "dir", "examples/chat", "the folder of the example")
	fs.IntVar(&o.Port, "port", 8080, "the port of the page; the following ones are used, too (0: any that are free)")
	cluster := fs.Bool("cluster", false, "start the cluster")
	fs.DurationVar(&o.Back, "back", 5*time.Second, "how long after its end a process of the cluster is started again")
	if err := parse(fs, args); err != nil {
		return err
	}
	o.Stdout, o.Stderr = stdout, stderr
	if *cluster {
		return demo.RunCluster(ctx, o)
	}
	return demo.Run(ctx, o)
}
