// Package worker runs one part of a benchmark as a process of its own: the executable calls itself with a role.
//
// A worker prints one line of JSON when it is ready, then one line for each line that it reads; it ends with its input.
package worker

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/integration/bench/bare"
	"github.com/swindon-go/swindon/integration/bench/load"
)

// Ready is a worker's first line.
type Ready struct {
	Addr string // where a server listens
}

// Roles that a worker can have.
const (
	BareFanout  = "bare-fanout"
	BareEcho    = "bare-echo"
	HTTPBackend = "http-backend"
	NATSBackend = "nats-backend"
	Subscribers = "subscribers"
	Publishers  = "publishers"
	Callers     = "callers"
)

// Run is the worker's main: args are the role and its flags.
func Run(args []string, in io.Reader, out io.Writer) error {
	w := &worker{in: bufio.NewScanner(in), out: json.NewEncoder(out)}
	if err := w.run(args); err != nil {
		_ = w.out.Encode(map[string]string{"Error": err.Error()})
		return err
	}
	return nil
}

type worker struct {
	in  *bufio.Scanner
	out *json.Encoder
}

func (w *worker) run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("a worker needs a role")
	}
	switch role, args := args[0], args[1:]; role {
	case BareFanout:
		return w.serve(bare.NewFanout())
	case BareEcho:
		return w.serve(bare.Echo())
	case HTTPBackend:
		return w.serve(bare.Backend())
	case NATSBackend:
		return w.nats(args)
	case Subscribers:
		return w.subscribe(args)
	case Publishers:
		return w.publish(args)
	case Callers:
		return w.call(args)
	default:
		return w.latticeRole(role, args)
	}
}

// answer says that the worker is ready and then answers each line by the function.
func (w *worker) answer(ready Ready, f func() (any, error)) error {
	if err := w.out.Encode(ready); err != nil {
		return err
	}
	for w.in.Scan() {
		reply, err := f()
		if err != nil {
			return err
		}
		if err := w.out.Encode(reply); err != nil {
			return err
		}
	}
	return w.in.Err()
}

func (w *worker) serve(handler http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	return w.answer(Ready{Addr: listener.Addr().String()}, func() (any, error) { return struct{}{}, nil })
}

func (w *worker) nats(args []string) error {
	flags := flag.NewFlagSet(NATSBackend, flag.ContinueOnError)
	address := flags.String("url", "", "the NATS server")
	space := flags.String("space", "sw.main", "prefix and session pool")
	subject := flags.String("subject", "rpc", "the destination's subject")
	if err := flags.Parse(args); err != nil {
		return err
	}
	nc, err := nats.Connect(*address)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := bare.ServeNATS(nc, *space, *subject); err != nil {
		return err
	}
	return w.answer(Ready{}, func() (any, error) { return struct{}{}, nil })
}

func (w *worker) subscribe(args []string) error {
	var target load.Target
	flags := flag.NewFlagSet(Subscribers, flag.ContinueOnError)
	flags.StringVar(&target.URL, "url", "", "websocket address")
	flags.StringVar(&target.API, "api", "", "backend API, empty for a bare program")
	flags.StringVar(&target.Topic, "topic", "", "topic, with slashes")
	flags.IntVar(&target.Sharing, "sharing", 0, "connections per topic, 0 for one topic")
	flags.IntVar(&target.Topics, "topics", 0, "topics of each connection, 0 for the topic itself")
	n := flags.Int("n", 100, "connections")
	if err := flags.Parse(args); err != nil {
		return err
	}
	subscribers, err := load.Subscribe(target, *n)
	if err != nil {
		return err
	}
	return w.answer(Ready{}, func() (any, error) { return subscribers.Count(), nil })
}

func (w *worker) publish(args []string) error {
	var p load.Publishing
	flags := flag.NewFlagSet(Publishers, flag.ContinueOnError)
	flags.StringVar(&p.Address, "address", "", "HOST:PORT or nats://HOST:PORT")
	flags.StringVar(&p.Path, "path", "", "path to post to, or subject")
	flags.IntVar(&p.Publishers, "n", 64, "publishers")
	flags.IntVar(&p.Topics, "topics", 0, "topics below the path, 0 for the path itself")
	flags.IntVar(&p.Size, "size", 128, "bytes per message")
	flags.Float64Var(&p.Rate, "rate", 0, "messages a second, 0 for a closed loop")
	flags.DurationVar(&p.Length, "length", time.Second, "how long")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return w.answer(Ready{}, func() (any, error) { return load.Publish(p) })
}

func (w *worker) call(args []string) error {
	var c load.Calling
	flags := flag.NewFlagSet(Callers, flag.ContinueOnError)
	flags.StringVar(&c.URL, "url", "", "websocket address")
	flags.BoolVar(&c.Bare, "bare", false, "echo instead of calls")
	flags.StringVar(&c.Method, "method", "bench.echo", "method to call")
	flags.IntVar(&c.Conns, "conns", 100, "connections")
	flags.IntVar(&c.Depth, "depth", 1, "calls in flight per connection")
	flags.IntVar(&c.Size, "size", 128, "bytes of the argument")
	if err := flags.Parse(args); err != nil {
		return err
	}
	callers, err := load.Call(c)
	if err != nil {
		return err
	}
	return w.answer(Ready{}, func() (any, error) { return callers.Count(), nil })
}
