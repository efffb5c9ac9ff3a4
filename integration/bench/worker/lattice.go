package worker

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/integration/bench/bare"
	"github.com/swindon-go/swindon/integration/bench/load"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/node"
	"github.com/swindon-go/swindon/lattice"
)

// Roles of the measures of lattices.
const (
	NATSServer = "nats-server"
	NATSReader = "nats-reader"
	Updaters   = "updaters"
	Relay      = "relay"
	Attacher   = "attacher"
	Fetcher    = "fetcher"
	Crowd      = "crowd"
	Seeder     = "seeder"
	Merger     = "merger"
)

// latticeRole runs one of the roles above.
func (w *worker) latticeRole(role string, args []string) error {
	flags := flag.NewFlagSet(role, flag.ContinueOnError)
	switch role {
	case NATSServer:
		return w.natsServer(flags, args)
	case NATSReader:
		return w.natsReader(flags, args)
	case Updaters:
		u := load.Updating{}
		flags.StringVar(&u.URL, "nats", "", "the NATS server")
		flags.StringVar(&u.Space, "space", "sw.main", "prefix and session pool")
		flags.StringVar(&u.Bucket, "bucket", "sw_main_lat", "the session pool's bucket")
		flags.IntVar(&u.Keys, "keys", 1, "distinct keys")
		flags.Int64Var(&u.Base, "base", 0, "the counters begin behind it")
		flags.IntVar(&u.Writers, "writers", 64, "updates under way")
		flags.DurationVar(&u.Length, "length", time.Second, "how long")
		return w.parsed(flags, args, func() (any, error) { return load.Update(u) })
	case Relay:
		r := load.Relaying{}
		flags.StringVar(&r.URL, "url", "", "websocket address of the subscriber's node")
		flags.StringVar(&r.API, "api", "", "its backend API")
		flags.StringVar(&r.From, "from", "", "backend API of the other node")
		flags.IntVar(&r.Keys, "keys", 100, "distinct keys")
		flags.IntVar(&r.Base, "base", 0, "the counters begin behind it")
		flags.Float64Var(&r.Rate, "rate", 500, "updates a second")
		flags.DurationVar(&r.Length, "length", time.Second, "how long")
		return w.parsed(flags, args, func() (any, error) { return load.Relay(r) })
	case Attacher, Fetcher:
		a := load.Attaching{}
		flags.StringVar(&a.URL, "url", "", "websocket address")
		flags.StringVar(&a.API, "api", "", "backend API")
		flags.StringVar(&a.NATS, "nats", "", "the NATS server")
		flags.StringVar(&a.Prefix, "prefix", "sw", "first token of its subjects")
		flags.StringVar(&a.Pool, "pool", "main", "session pool")
		flags.IntVar(&a.Keys, "keys", 100, "keys of a snapshot")
		flags.IntVar(&a.Times, "times", 200, "snapshots")
		return w.parsed(flags, args, func() (any, error) {
			if role == Fetcher {
				return load.Fetch(a)
			}
			return load.Attach(a)
		})
	case Seeder:
		s := load.Seeding{}
		flags.StringVar(&s.URL, "nats", "", "the NATS server")
		flags.StringVar(&s.Space, "space", "sw.main", "prefix and session pool")
		flags.IntVar(&s.Users, "users", 1, "users")
		flags.IntVar(&s.Keys, "keys", 10, "keys of each")
		flags.IntVar(&s.Batch, "batch", 50, "users of one update")
		flags.IntVar(&s.Flying, "flying", 8, "updates under way")
		return w.parsed(flags, args, func() (any, error) { return load.Seed(s) })
	case Crowd:
		c := load.Crowd{}
		flags.IntVar(&c.Users, "users", 1, "users")
		flags.IntVar(&c.Keys, "keys", 5, "keys of each")
		return w.parsed(flags, args, func() (any, error) {
			var url, api string
			var write bool
			if _, err := fmt.Sscan(w.in.Text(), &url, &api, &write); err != nil {
				return nil, err
			}
			return c.Arrive(url, api, write)
		})
	case Merger:
		return w.parsed(flags, args, func() (any, error) { return merge() })
	default:
		return fmt.Errorf("unknown role %q", role)
	}
}

// parsed reads the flags and then answers each line by the function.
func (w *worker) parsed(flags *flag.FlagSet, args []string, f func() (any, error)) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	return w.answer(Ready{}, f)
}

// natsServer is a NATS server with JetStream and nothing set but where it stands.
func (w *worker) natsServer(flags *flag.FlagSet, args []string) error {
	dir := flags.String("store", "", "folder of the store")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: *dir, NoSigs: true, MaxPayload: 12 << 20,
	})
	if err != nil {
		return err
	}
	s.Start()
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
	}()
	if !s.ReadyForConnections(10 * time.Second) {
		return fmt.Errorf("the NATS server does not start")
	}
	return w.answer(Ready{Addr: s.ClientURL()}, func() (any, error) { return struct{}{}, nil })
}

// natsReader counts the messages of a subject.
func (w *worker) natsReader(flags *flag.FlagSet, args []string) error {
	url, subject := flags.String("nats", "", "the NATS server"), flags.String("subject", "", "what to read")
	if err := flags.Parse(args); err != nil {
		return err
	}
	nc, err := nats.Connect(*url)
	if err != nil {
		return err
	}
	defer nc.Close()
	count, err := bare.ReadNATS(nc, *subject)
	if err != nil {
		return err
	}
	return w.answer(Ready{}, func() (any, error) { return load.Count{Frames: count()}, nil })
}

// Merged is what a merge costs in CPU time, garbage collection included.
type Merged struct {
	Grows, Stale             float64 // nanoseconds
	GrowsAllocs, StaleAllocs float64
}

// merge merges an update of ten keys into the thousand keys of a user: one variable of each grows, or nothing does.
func merge() (Merged, error) {
	const n, rounds = 1000, 1000
	fresh, err := parseKeys(n, 1, 0)
	if err != nil {
		return Merged{}, err
	}
	updates := make([]lattice.Keys, rounds)
	for i := range updates {
		if updates[i], err = parseKeys(n, n/10, i); err != nil {
			return Merged{}, err
		}
	}
	floor := make([]byte, node.HeapFloor) // as in a node: it decides how often the collector runs
	defer runtime.KeepAlive(floor)
	var m Merged
	k := fresh.Clone()
	m.Stale, m.StaleAllocs, err = cost(func(int) bool {
		_, changed := k.Merge(&updates[0])
		return !changed
	})
	if err != nil {
		return m, err
	}
	m.Grows, m.GrowsAllocs, err = cost(func(turn int) bool {
		i := turn%(rounds-1) + 1
		if i == 1 {
			k = fresh.Clone() // about 10 ns for each turn
		}
		grown, _ := k.Merge(&updates[i])
		return grown.Len() == 10
	})
	return m, err
}

// cost is what one call of f costs in nanoseconds of CPU time, and its allocations. It fails when f does.
func cost(f func(turn int) bool) (nanoseconds, allocs float64, err error) {
	const turns = 200_000
	var before, after runtime.MemStats
	var used, now syscall.Rusage
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, 0, err
	}
	for turn := range turns {
		if !f(turn) {
			return 0, 0, fmt.Errorf("a merge does not do what it should")
		}
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &now); err != nil {
		return 0, 0, err
	}
	runtime.ReadMemStats(&after)
	cpu := now.Utime.Nano() + now.Stime.Nano() - used.Utime.Nano() - used.Stime.Nano()
	return float64(cpu) / turns, float64(after.Mallocs-before.Mallocs) / turns, nil
}

// parseKeys makes each step-th of n keys, with two variables; more is added to the counters.
func parseKeys(n, step, more int) (lattice.Keys, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i := 0; i < n; i += step {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s":{"size_counter":%d,"mood_register":[12,{"text":"ok"}]}`, names.Key(fmt.Sprintf("room:%d", i)), i+more)
	}
	b.WriteByte('}')
	return lattice.ParseKeys([]byte(b.String()))
}
