package bare

import (
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// ServeNATS answers the calls of one session pool as a NATS service (ADR-32, queue group q): authorizations below
// SPACE.auth, calls below SPACE.SUBJECT. It returns when the services are registered at the server.
func ServeNATS(nc *nats.Conn, space, subject string) error {
	service, err := micro.AddService(nc, micro.Config{Name: "bench", Version: "1.0.0", QueueGroup: "q"})
	if err != nil {
		return fmt.Errorf("adding the service: %w", err)
	}
	authorize := micro.HandlerFunc(func(r micro.Request) {
		hello, err := Authorize(r.Data())
		if err != nil {
			_ = r.Error("400", err.Error(), nil)
			return
		}
		body, _ := json.Marshal(hello)
		_ = r.Respond(body)
	})
	answer := micro.HandlerFunc(func(r micro.Request) {
		body, err := Answer(r.Data())
		if err != nil {
			_ = r.Error("400", err.Error(), nil)
			return
		}
		_ = r.Respond(body)
	})
	if err := service.AddEndpoint("authorize", authorize, micro.WithEndpointSubject(space+".auth.authorize_connection")); err != nil {
		return err
	}
	if err := service.AddEndpoint("calls", answer, micro.WithEndpointSubject(space+"."+subject+".>")); err != nil {
		return err
	}
	return nc.Flush()
}

// ReadNATS counts the messages of a subject and does nothing else with them. It returns when the server knows the
// subscription.
func ReadNATS(nc *nats.Conn, subject string) (count func() int64, err error) {
	var n atomic.Int64
	if _, err := nc.Subscribe(subject, func(*nats.Msg) { n.Add(1) }); err != nil {
		return nil, err
	}
	return n.Load, nc.Flush()
}
