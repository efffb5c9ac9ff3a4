package chat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/swindon-go/swindon/examples/chat/internal/session"
)

// Bounds of what a page may send.
const (
	maxText  = 8000         // bytes of a message
	maxCount = 1<<53 - 1    // the greatest count that a browser holds exactly
	maxWatch = 500          // people in one call
	lattice  = "chat/rooms" // the namespace chat.rooms, in the form of paths
)

// Room is a place to talk. Title and place are what the lattice says of it.
type Room struct {
	name string
	Info
}

// Info is the register of a room.
type Info struct {
	Title string `json:"title"`
	Place int    `json:"place"`
}

var rooms = []Room{{"lobby", Info{"Lobby", 1}}, {"kitchen", Info{"Kitchen", 2}}, {"football", Info{"Football", 3}}}

// infoVersion goes up when rooms get other titles: the greater version wins wherever both are known.
const infoVersion = 1

var messageID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// Message is what is published to a room.
type Message struct {
	ID     string `json:"id"`
	Author string `json:"author"`
	Text   string `json:"text"`
	At     int64  `json:"at"` // Unix milliseconds
}

// enter makes the rooms visible to a user, adds them to the rooms' people, and attaches the connection: it gets the state
// now, and every change from now on.
func (s *service) enter(ctx context.Context, c *Call) (any, error) {
	d := newDelta()
	for _, r := range rooms {
		d.share(r.name, "info_register", [2]any{infoVersion, r.Info})
		d.share(r.name, "people_set", []string{c.User})
		d.show(c.User, r.name)
	}
	err := s.gateway.attach(ctx, c.Meta.ConnectionID, lattice, d)
	if refused := refusal(0); errors.As(err, &refused) && refused == http.StatusBadRequest {
		// The set of people is full (the pool's limits of a value): the newcomer chats without being listed.
		for _, r := range rooms {
			delete(d.Shared[r.name], "people_set")
		}
		err = s.gateway.attach(ctx, c.Meta.ConnectionID, lattice, d)
	}
	return true, err
}

// join makes the connection hear what is said in a room.
func (s *service) join(ctx context.Context, c *Call) (any, error) {
	room, err := roomOf(c)
	if err != nil {
		return nil, err
	}
	return true, s.gateway.subscribe(ctx, c.Meta.ConnectionID, "rooms/"+room.name)
}

// sendMessage publishes to a room and counts. A page that repeats a message gives it the same id, by which all who got it
// twice know it.
func (s *service) sendMessage(ctx context.Context, c *Call) (any, error) {
	room, err := roomOf(c)
	if err != nil {
		return nil, err
	}
	var text string
	if len(c.Args) != 2 || json.Unmarshal(c.Args[1], &text) != nil || text == "" || len(text) > maxText {
		return nil, failure{http.StatusUnprocessableEntity, "a message has 1 to 8000 bytes"}
	}
	var opt struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(c.Kwargs, &opt); err != nil || !messageID.MatchString(opt.ID) {
		return nil, failure{http.StatusUnprocessableEntity, "a message needs an id"}
	}
	m := Message{ID: opt.ID, Author: c.User, Text: text, At: time.Now().UnixMilli()}
	if err := s.gateway.publish(ctx, "rooms/"+room.name, m); err != nil {
		return nil, err
	}
	d := newDelta()
	d.share(room.name, s.sent.variable, s.sent.add(room.name))
	if err := s.gateway.update(ctx, lattice, d); err != nil {
		// The message has gone out: it is no failure of the call. The next count holds this message, too.
		s.log.Warn("Count not stored", "room", room.name, "err", err)
	}
	return m, nil
}

// markRead notes how much of a room a user has seen. All devices of the user hear it.
func (s *service) markRead(ctx context.Context, c *Call) (any, error) {
	room, err := roomOf(c)
	if err != nil {
		return nil, err
	}
	var upTo uint64
	if len(c.Args) != 2 || json.Unmarshal(c.Args[1], &upTo) != nil || upTo > maxCount {
		return nil, failure{http.StatusUnprocessableEntity, "how many have been read?"}
	}
	d := newDelta()
	d.show(c.User, room.name)["read_counter"] = upTo
	return true, s.gateway.update(ctx, lattice, d)
}

// watch makes the connection hear who of these people is active, inactive or offline. The gateway knows that by itself.
func (s *service) watch(ctx context.Context, c *Call) (any, error) {
	var people []string
	if len(c.Args) != 1 || json.Unmarshal(c.Args[0], &people) != nil || people == nil || len(people) > maxWatch {
		return nil, failure{http.StatusUnprocessableEntity, "whom?"}
	}
	for _, name := range people {
		if session.CheckName(name) != nil {
			return nil, failure{http.StatusUnprocessableEntity, "whom?"}
		}
	}
	return true, s.gateway.watch(ctx, c.Meta.ConnectionID, people)
}

// here does nothing: like every call, it keeps its user active.
func (s *service) here(context.Context, *Call) (any, error) { return true, nil }

func roomOf(c *Call) (Room, error) {
	var name string
	if len(c.Args) == 0 || json.Unmarshal(c.Args[0], &name) != nil {
		return Room{}, failure{http.StatusUnprocessableEntity, "which room?"}
	}
	for _, r := range rooms {
		if r.name == name {
			return r, nil
		}
	}
	return Room{}, failure{http.StatusNotFound, "there is no such room"}
}
