package integration

import (
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// An attach beyond the limit is refused with its update (protocol §8.2, decision D22).
func TestAttachLimit(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-subscriptions-per-connection: 1\n", "")
	ann, annID := c.connect("ann")
	bob, bobID := c.connect("bob")
	c.accepted("PUT", "/v1/connection/"+annID+"/lattices/a", `{"private":{"ann":{"k":{}}}}`)
	ann.Want(`["lattice",{"namespace":"a"},{"k":{}}]`)
	c.accepted("PUT", "/v1/connection/"+bobID+"/lattices/b", `{"private":{"bob":{"k":{}}}}`)
	bob.Want(`["lattice",{"namespace":"b"},{"k":{}}]`)
	update := `{"shared":{"k":{"n_counter":1}}}`
	wantEmpty(t, "the second namespace", c.api("PUT", "/v1/connection/"+annID+"/lattices/b", update, "Content-Type: application/json"), 400)
	c.accepted("PUT", "/v1/connection/"+bobID+"/lattices/b", `{}`)
	bob.Want(`["lattice",{"namespace":"b"},{"k":{}}]`)
	c.accepted("DELETE", "/v1/connection/"+annID+"/lattices/a", "")
	c.accepted("PUT", "/v1/connection/"+annID+"/lattices/b", update)
	ann.Want(`["lattice",{"namespace":"b"},{}]`)
	bob.Want(`["lattice",{"namespace":"b"},{"k":{"n_counter":1}}]`)
	ann.Silent()
	bob.Silent()
}

// What was promised to a connection before its user was known is kept when the session's list is full (decision D15).
func TestUsersLimit(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-subscriptions-per-connection: 2\n", "")
	first, id := c.connect("ann")
	json := "Content-Type: application/json"
	c.accepted("PUT", "/v1/connection/"+id+"/users", `["bob","cid"]`)
	testkit.WantStatuses(t, first, "bob offline, cid offline")
	wantEmpty(t, "the third user", c.api("PUT", "/v1/connection/"+id+"/users", `["dan"]`, json), 400)
	wantEmpty(t, "for all connections", c.api("PUT", "/v1/user/ann/users", `["dan"]`, json), 400)
	second, auth, secondID := c.open("/ws")
	c.accepted("PUT", "/v1/connection/"+secondID+"/users", `["dan","eve"]`)
	wantEmpty(t, "the third user before hello", c.api("PUT", "/v1/connection/"+secondID+"/users", `["bob"]`, json), 400)
	auth.JSON(`{"user_id":"ann"}`)
	second.Shake()
	second.Want(`["hello",{},{"user_id":"ann"}]`)
	testkit.WantStatuses(t, second, "bob offline, cid offline, dan offline, eve offline")
	c.connect("eve")
	testkit.WantStatuses(t, first, "eve active")
	testkit.WantStatuses(t, second, "eve active")
	first.Silent()
	second.Silent()
}
