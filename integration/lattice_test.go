package integration

import (
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// queues is a lattice frame of the namespace that the tests use.
func queues(data string) string { return `["lattice",{"namespace":"desk.queues"},` + data + `]` }

// What each type joins to, and what of it is told (protocol §8.3, §8.6).
func TestLatticeMerge(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, id := c.connect("ann")
	c.accepted("PUT", "/v1/connection/"+id+"/lattices/desk/queues", `{"shared":{"q":{"n_counter":0,"t_set":[],"r_register":[-1,null]}},"private":{"ann":{"q":{"p_counter":18446744073709551615}}}}`)
	ws.Want(queues(`{"q":{"n_counter":0,"p_counter":18446744073709551615,"r_register":[-1.0,null],"t_set":[]}}`))
	for _, step := range []struct{ name, update, frame string }{
		{"counter-grows", `{"n_counter":5}`, `{"n_counter":5}`},
		{"counter-stale", `{"n_counter":4}`, ""},
		{"counter-equal", `{"n_counter":5}`, ""},
		{"set-as-sent", `{"t_set":["b","a","b"]}`, `{"t_set":["a","b"]}`},
		{"set-known", `{"t_set":["a"]}`, ""},
		{"set-one-new", `{"t_set":["a","c"]}`, `{"t_set":["a","c"]}`},
		{"register-newer", `{"r_register":[2,{"x":[1]}]}`, `{"r_register":[2.0,{"x":[1]}]}`},
		{"register-older", `{"r_register":[1.5,"old"]}`, ""},
		{"only-what-grew", `{"n_counter":6,"t_set":["c"],"r_register":[0,0]}`, `{"n_counter":6}`},
	} {
		c.accepted("POST", "/v1/lattice/desk/queues", `{"shared":{"q":`+step.update+`}}`)
		if step.frame != "" {
			ws.Want(queues(`{"q":` + step.frame + `}`))
		}
	}
	ws.Silent()
	again, againID := c.connect("ann")
	c.accepted("PUT", "/v1/connection/"+againID+"/lattices/desk/queues", `{}`)
	again.Want(queues(`{"q":{"n_counter":6,"p_counter":18446744073709551615,"r_register":[2.0,{"x":[1]}],"t_set":["a","b","c"]}}`))
	again.Silent()
}

// Who gets what of an update (protocol §8.4, §8.6).
func TestLatticeDelivery(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, id := c.connect("ann")
	bob, bobID := c.connect("bob")
	attach := "/lattices/desk/queues"
	c.accepted("PUT", "/v1/connection/"+id+attach, `{"shared":{"q:7":{"size_counter":100}},"private":{"ann":{"q:7":{"read_counter":100}}}}`)
	ws.Want(queues(`{"q:7":{"size_counter":100,"read_counter":100}}`))
	c.accepted("PUT", "/v1/connection/"+bobID+attach, `{}`)
	bob.Want(queues(`{}`))
	t.Run("stale-shared-new-private", func(t *testing.T) {
		c.accepted("POST", "/v1/lattice/desk/queues", `{"shared":{"q:7":{"size_counter":99}},"private":{"ann":{"q:7":{"read_counter":107}}}}`)
		ws.Want(queues(`{"q:7":{"read_counter":107}}`))
	})
	t.Run("attached-again", func(t *testing.T) {
		c.accepted("PUT", "/v1/connection/"+id+attach, `{"shared":{"q:7":{"size_counter":99}},"private":{"ann":{"q:7":{"read_counter":108}}}}`)
		ws.Want(queues(`{"q:7":{"read_counter":108}}`))
		ws.Want(queues(`{"q:7":{"size_counter":100,"read_counter":108}}`))
	})
	t.Run("newly-visible", func(t *testing.T) {
		c.accepted("POST", "/v1/lattice/desk/queues", `{"shared":{"q:9":{"size_counter":1,"tags_set":["x"]}}}`)
		ws.Silent()
		c.accepted("POST", "/v1/lattice/desk/queues", `{"shared":{"q:9":{"size_counter":2}},"private":{"ann":{"q:9":{}}}}`)
		ws.Want(queues(`{"q:9":{"size_counter":2,"tags_set":["x"]}}`))
	})
	t.Run("one-frame", func(t *testing.T) {
		c.accepted("POST", "/v1/lattice/desk/queues", `{"shared":{"q:7":{"size_counter":101},"q:9":{"size_counter":3}},"private":{"ann":{"q:7":{"read_counter":109}},"bob":{"q:9":{}}}}`)
		ws.Want(queues(`{"q:7":{"size_counter":101,"read_counter":109},"q:9":{"size_counter":3}}`))
		bob.Want(queues(`{"q:9":{"size_counter":3,"tags_set":["x"]}}`))
	})
	t.Run("detached", func(t *testing.T) {
		c.accepted("DELETE", "/v1/connection/"+id+attach, "")
		c.accepted("POST", "/v1/lattice/desk/queues", `{"shared":{"q:9":{"size_counter":4}}}`)
		bob.Want(queues(`{"q:9":{"size_counter":4}}`))
		ws.Silent()
	})
	bob.Silent()
}

// What is wrong in an update refuses all of it.
func TestLatticeRefused(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    max-set-size: 2\n    max-value-size: 10\n    max-keys-per-user: 2\n    max-keys-per-namespace: 2\n", "")
	ws, id := c.connect("ann")
	json := "Content-Type: application/json"
	c.accepted("PUT", "/v1/connection/"+id+"/lattices/a", `{"private":{"ann":{"k":{},"l":{}}}}`)
	ws.Want(`["lattice",{"namespace":"a"},{"k":{},"l":{}}]`)
	for name, body := range map[string]string{
		"float":             `{"shared":{"k":{"a_counter":1,"b_counter":5.0}}}`,
		"negative":          `{"shared":{"k":{"a_counter":1,"b_counter":-5}}}`,
		"no-suffix":         `{"shared":{"k":{"a_counter":1,"b":5}}}`,
		"bad-name":          `{"shared":{"k":{"a_counter":1,"1_counter":5}}}`,
		"bad-key":           `{"shared":{"k":{"a_counter":1},"k/":{}}}`,
		"numbers-in-set":    `{"shared":{"k":{"a_counter":1,"b_set":[1]}}}`,
		"short-register":    `{"shared":{"k":{"a_counter":1,"b_register":[1]}}}`,
		"bad-end":           `{"shared":{"k":{"a_counter":1,"expires_in":"soon"}}}`,
		"shared-twice":      `{"shared":{"k":{"a_counter":1}},"shared":{}}`,
		"bad-user":          `{"shared":{"k":{"a_counter":1}},"private":{"a/b":{}}}`,
		"array":             `[{"k":{"a_counter":1}},null]`,
		"max-set-size":      `{"shared":{"k":{"a_counter":1,"b_set":["1","2","3"]}}}`,
		"max-value-size":    `{"shared":{"k":{"a_counter":1,"b_register":[1,"` + strings.Repeat("x", 10) + `"]}}}`,
		"max-keys-per-user": `{"shared":{"k":{"a_counter":1}},"private":{"ann":{"m":{}}}}`,
	} {
		wantEmpty(t, name, c.api("POST", "/v1/lattice/a", body, json), 400)
		wantEmpty(t, name, c.api("PUT", "/v1/connection/"+id+"/lattices/a", body, json), 400)
	}
	c.accepted("POST", "/v1/lattice/a", `{"shared":{"k":{"a_counter":2},"m":{"a_counter":1}}}`)
	ws.Want(`["lattice",{"namespace":"a"},{"k":{"a_counter":2}}]`)
	wantEmpty(t, "max-keys-per-namespace", c.api("POST", "/v1/lattice/a", `{"shared":{"k":{"a_counter":3},"n":{"a_counter":1}}}`, json), 400)
	ws.Silent()
}

// Who is there, in direct answers and as news (protocol §9).
func TestPresence(t *testing.T) {
	t.Parallel()
	c := startLimited(t, "    new-connection-idle-timeout: 500ms\n    client-min-idle-timeout: 100ms\n", "")
	users := func(pairs ...string) string {
		var list []string
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, pairs[i]+" "+pairs[i+1])
		}
		return strings.Join(list, ", ")
	}
	ws, id := c.connect("ann")
	bob, _ := c.connect("bob")
	c.accepted("PUT", "/v1/connection/"+id+"/users", `["bob","cid"]`)
	testkit.WantStatuses(t, ws, users("bob", "active", "cid", "offline"))
	c.accepted("PUT", "/v1/connection/"+id+"/users", `["cid"]`)
	testkit.WantStatuses(t, ws, users("cid", "offline"))
	c.accepted("PUT", "/v1/connection/"+id+"/users", `[]`)
	testkit.WantStatuses(t, ws, "")
	testkit.WantStatuses(t, ws, users("bob", "inactive"))
	testkit.SendClose(bob)
	testkit.WantStatuses(t, ws, users("bob", "offline"))
	c.connect("cid")
	testkit.WantStatuses(t, ws, users("cid", "active"))
	testkit.WantStatuses(t, ws, users("cid", "inactive"))
	c.accepted("PUT", "/v1/user/ann/users", `["ann"]`)
	testkit.WantStatuses(t, ws, users("ann", "inactive"))
	c.accepted("DELETE", "/v1/connection/"+id+"/users", "")
	c.connect("bob")
	ws.Silent()
	json := "Content-Type: application/json"
	for _, body := range []string{`{}`, `[1]`, `["a/b"]`, `"ann"`, `[["ann"]]`} {
		wantEmpty(t, body, c.api("PUT", "/v1/connection/"+id+"/users", body, json), 400)
		wantEmpty(t, body, c.api("PUT", "/v1/user/ann/users", body, json), 400)
	}
	ws.Silent()
}

// Asked for before hello: one frame after it, and no second one about oneself (protocol §0.18, §9.3).
func TestPresencePending(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ws, auth, id := c.open("/ws")
	c.accepted("PUT", "/v1/connection/"+id+"/users", `["ann","bob"]`)
	c.accepted("PUT", "/v1/connection/"+id+"/lattices/desk/queues", `{"private":{"ann":{"q":{}}}}`)
	ws.Silent()
	auth.JSON(`{"user_id":"ann"}`)
	ws.Shake()
	ws.Want(`["hello",{},{"user_id":"ann"}]`)
	ws.Want(queues(`{"q":{}}`))
	testkit.WantStatuses(t, ws, "ann active, bob offline")
	ws.Silent()
}
