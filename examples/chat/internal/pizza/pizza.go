// Package pizza is the example's second service: it speaks NATS only, by the services framework. The gateway hands it
// the calls pizza.*, and it pushes the state of an order to whoever made it.
package pizza

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// space is where the session pool "main" of the example listens, see swindon.yaml.
const space = "sw.main"

// maxRunning bounds how many orders one instance bakes at a time.
const maxRunning = 1000

// Pizza is an item of the menu.
type Pizza struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

var menu = []Pizza{{"margherita", "Margherita"}, {"marinara", "Marinara"}, {"funghi", "Funghi"}, {"diavola", "Diavola"}}

// Order is the state of an order, as the call returns it and as it is pushed.
type Order struct {
	Order  string `json:"order"`
	Title  string `json:"title"`
	Status string `json:"status"`
	Step   int    `json:"step"`
	Done   bool   `json:"done,omitempty"`
}

var steps = []string{"received", "in the oven", "on its way", "delivered"}

// Service is one running instance.
type Service struct {
	nc   *nats.Conn
	svc  micro.Service
	log  *slog.Logger
	step time.Duration
	// running counts orders in the oven: Stop lets them finish.
	running sync.WaitGroup
	slots   chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
}

// Start registers the service on a connection. step is how long each state of an order lasts.
func Start(nc *nats.Conn, step time.Duration, log *slog.Logger) (*Service, error) {
	svc, err := micro.AddService(nc, micro.Config{Name: "pizza", Version: "1.0.0", Description: "Takes orders for pizza."})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Service{nc: nc, svc: svc, log: log, step: step, slots: make(chan struct{}, maxRunning), ctx: ctx, cancel: cancel}
	group := svc.AddGroup(space + ".rpc.pizza")
	for name, handle := range map[string]func(call) (any, error){"menu": s.menu, "watch": s.watch, "order": s.order} {
		if err := group.AddEndpoint(name, s.endpoint(handle)); err != nil {
			return nil, errors.Join(err, svc.Stop())
		}
	}
	return s, nc.Flush()
}

// Stop takes no more calls, lets what runs finish, and returns. Orders in the oven are hurried to their end.
func (s *Service) Stop() error {
	err := s.svc.Stop()
	s.cancel()
	s.running.Wait()
	return errors.Join(err, s.nc.Drain())
}

// call is one call of a browser: the body is [meta, args, kwargs], the headers say who it is and where to push.
type call struct {
	user, conn string
	args       []json.RawMessage
}

// failure is an answer with a status of its own.
type failure struct {
	status  string
	message string
}

func (f failure) Error() string { return f.message }

// endpoint answers requests in goroutines of their own: the framework hands them over one at a time.
func (s *Service) endpoint(handle func(call) (any, error)) micro.Handler {
	return micro.HandlerFunc(func(r micro.Request) {
		select {
		case s.slots <- struct{}{}:
		default:
			_ = r.Error("503", "the kitchen is full", []byte(`{"message":"the kitchen is full"}`))
			return
		}
		s.running.Go(func() {
			defer func() { <-s.slots }()
			s.answer(r, handle)
		})
	})
}

func (s *Service) answer(r micro.Request, handle func(call) (any, error)) {
	c := call{user: r.Headers().Get("Sw-User"), conn: r.Headers().Get("Sw-Conn")}
	var body []json.RawMessage
	var v any
	err := json.Unmarshal(r.Data(), &body)
	if err == nil && len(body) == 3 {
		err = json.Unmarshal(body[1], &c.args)
	}
	if err != nil || len(body) != 3 || c.user == "" {
		err = failure{"400", "bad request"}
	} else {
		v, err = handle(c)
	}
	if err == nil {
		err = r.RespondJSON(v)
	} else {
		f := failure{"503", "try again"}
		if !errors.As(err, &f) {
			s.log.Warn("Call failed", "subject", r.Subject(), "err", err)
		}
		data, _ := json.Marshal(map[string]string{"message": f.message})
		err = r.Error(f.status, f.message, data)
	}
	if err != nil {
		s.log.Warn("Answer failed", "subject", r.Subject(), "err", err)
	}
}

func (s *Service) menu(call) (any, error) { return map[string][]Pizza{"pizzas": menu}, nil }

// watch subscribes the caller's connection to the orders of its user.
func (s *Service) watch(c call) (any, error) {
	i := strings.LastIndexByte(c.conn, '-')
	if i < 0 {
		return nil, failure{"400", "bad request"}
	}
	subject := fmt.Sprintf("%s.conn.%s.%s.sub", space, c.conn[:i], c.conn[i+1:])
	m, err := s.nc.Request(subject, []byte(topic(c.user)), 5*time.Second)
	if err != nil {
		return nil, err
	}
	if code := m.Header.Get("Nats-Service-Error-Code"); code != "" {
		return nil, fmt.Errorf("subscribe: %s %s", code, m.Header.Get("Nats-Service-Error"))
	}
	return map[string]string{"topic": topic(c.user)}, nil
}

func (s *Service) order(c call) (any, error) {
	var name string
	if len(c.args) != 1 || json.Unmarshal(c.args[0], &name) != nil {
		return nil, failure{"422", "which pizza?"}
	}
	for _, p := range menu {
		if p.Name == name {
			o := Order{Order: nats.NewInbox()[len("_INBOX."):], Title: p.Title, Status: steps[0]}
			s.running.Go(func() { s.bake(c.user, o) })
			return o, nil
		}
	}
	return nil, failure{"404", "not on the menu"}
}

// bake pushes each further state. When the service stops, the remaining ones follow at once.
func (s *Service) bake(user string, o Order) {
	for o.Step = 1; o.Step < len(steps); o.Step++ {
		select {
		case <-time.After(s.step):
		case <-s.ctx.Done():
		}
		o.Status, o.Done = steps[o.Step], o.Step == len(steps)-1
		data, err := json.Marshal(o)
		if err == nil {
			_, err = s.nc.Request(space+".pub."+topic(user), data, 5*time.Second)
		}
		if err != nil {
			s.log.Warn("Push failed", "order", o.Order, "err", err)
		}
	}
}

// topic is where a user's orders are pushed. Names of users of this example hold no character that needs escaping in
// a subject (session.CheckName).
func topic(user string) string { return "orders." + user }
