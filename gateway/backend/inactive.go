package backend

import (
	"context"
	"fmt"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// inactiveBody is the whole body of a notice; its length of twelve bytes is part of the protocol (§10.5).
var inactiveBody = []byte("[{}, [], {}]")

// Inactive tells a destination that a user's session has become inactive. A nil error means that a backend has
// answered with a status below 500 (decision D27); any other outcome is worth a repetition.
func (c *Caller) Inactive(ctx context.Context, dest names.Destination, level Level, user names.UserID, requestID string) error {
	d, err := c.find(dest.Name)
	if err != nil {
		return err
	}
	credentials := Credentials(user)
	if d.NATS != nil {
		reply, err := d.NATS.request(ctx, c.space.Auth(names.SessionInactive),
			sender{user: string(user), auth: credentials, requestID: requestID}, inactiveBody)
		if err != nil {
			return err
		}
		if status, failed := serviceError(reply); failed && status >= 500 {
			return fmt.Errorf("backend answered %d: %s", status, reply.Header.Get(port.HeaderError))
		}
		return nil
	}
	reply, err := d.HTTP.Call(ctx, &port.Call{
		Path:      dest.Prefix() + level.path(names.SessionInactive),
		Fields:    []port.Field{contentType, {Name: "Authorization", Value: level.Scheme() + credentials}},
		RequestID: requestID,
		Body:      inactiveBody,
	})
	if err != nil {
		return causeOf(ctx, err)
	}
	if reply.Status >= 500 {
		return fmt.Errorf("backend %s answered %d", reply.Backend, reply.Status)
	}
	return nil
}
