package names

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// space is the one of the tests.
func space(tb testing.TB) Space {
	tb.Helper()
	s, err := NewSpace("sw", "main")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestSubjects: the contract of docs/protocol/nats.md, to the byte.
func TestSubjects(t *testing.T) {
	t.Parallel()
	s := space(t)
	conn := ConnID{Node: someNode, N: 42}
	call, ok := s.Call("rpc", "chat.send_message")
	if !ok {
		t.Error("a good method is refused")
	}
	got := map[string]string{
		"root":          s.Root(),
		"topic":         s.Topic("rooms.red:1..x"),
		"topics":        s.Topics(),
		"publish":       s.Publish("rooms.red"),
		"publishes":     s.Publishes(),
		"call":          call,
		"auth":          s.Auth(AuthorizeConnection),
		"conn":          s.Conn(conn, "sub"),
		"conns":         s.Conns(someNode),
		"user":          s.User("a.b:1", "kick"),
		"users":         s.Users(),
		"node":          s.Node(someNode, "ping"),
		"node requests": s.NodeRequests(someNode),
		"nodes":         s.Nodes("beat"),
		"event":         s.Event("connected"),
	}
	want := map[string]string{
		"root":          "sw.main",
		"topic":         "sw.main.top.rooms.red=3A1.=.x",
		"topics":        "sw.main.top.>",
		"publish":       "sw.main.pub.rooms.red",
		"publishes":     "sw.main.pub.>",
		"call":          "sw.main.rpc.chat.send_message",
		"auth":          "sw.main.auth.authorize_connection",
		"conn":          "sw.main.conn." + string(someNode) + ".42.sub",
		"conns":         "sw.main.conn." + string(someNode) + ".>",
		"user":          "sw.main.user.a=2Eb=3A1.kick",
		"users":         "sw.main.user.>",
		"node":          "sw.main.node." + string(someNode) + ".ping",
		"node requests": "sw.main.node." + string(someNode) + ".>",
		"nodes":         "sw.main.nodes.beat",
		"event":         "sw.main.ev.connected",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, ok := s.Call("rpc", "a..b"); ok {
		t.Error("a method that may not travel over NATS is accepted")
	}
}

// TestSubjectsRefused: what only looks like one of ours is not read.
func TestSubjectsRefused(t *testing.T) {
	t.Parallel()
	s := space(t)
	node := string(someNode)
	for _, subject := range []string{
		"", "sw.main", "sw.main.top", "sw.main.top.", "sw.main.top.a..b", "sw.main.top.a.*", "sw.main.top.a b", "sw.other.top.a",
		"sw.main.pub.a", "sw.main.top.=41", "sw.main.top.=3a", "sw.main.top.=3", "sw.main.top.=2E", "sw.main.top.a=b", "sw.main.top.=00",
	} {
		if got, err := s.ParseTopic(subject); !errors.Is(err, ErrSyntax) {
			t.Errorf("ParseTopic(%q) = %q, %v", subject, got, err)
		}
	}
	for _, subject := range []string{
		"", "sw.main.conn." + node, "sw.main.conn." + node + ".1", "sw.main.conn." + node + ".1.sub.x", "sw.main.conn." + node + ".x.sub",
		"sw.main.conn." + node + ".-1.sub", "sw.main.conn.short.1.sub", "sw.main.conn." + node + ".1.", "sw.main.conn." + node + ".1.*",
		"sw.other.conn." + node + ".1.sub",
	} {
		if got, op, err := s.ParseConn(subject); !errors.Is(err, ErrSyntax) {
			t.Errorf("ParseConn(%q) = %v, %q, %v", subject, got, op, err)
		}
	}
	for _, subject := range []string{
		"", "sw.main.user", "sw.main.user.a", "sw.main.user.a.", "sw.main.user..kick", "sw.main.user.a.b.kick", "sw.main.user.=.kick",
		"sw.main.user.a=20b.kick", "sw.main.user.*.kick", "sw.other.user.a.kick",
	} {
		if got, op, err := s.ParseUser(subject); !errors.Is(err, ErrSyntax) {
			t.Errorf("ParseUser(%q) = %q, %q, %v", subject, got, op, err)
		}
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	b := Prefix("sw-2").Lattices("my_pool")
	key := EncodeToken("app.rooms") + ".p." + EncodeToken("u:1")
	subject, err := b.Key(key)
	if err != nil {
		t.Fatal(err)
	}
	get, err := b.DirectGet(key)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{string(b), b.Stream(), b.Keys(), subject, get, b.LeaderGet(), string(Prefix("sw").NodesBucket())}
	want := []string{
		"sw-2_my_pool_lat", "KV_sw-2_my_pool_lat", "$KV.sw-2_my_pool_lat.>", "$KV.sw-2_my_pool_lat.app=2Erooms.p.u=3A1",
		"$JS.API.DIRECT.GET.KV_sw-2_my_pool_lat.$KV.sw-2_my_pool_lat.app=2Erooms.p.u=3A1",
		"$JS.API.STREAM.MSG.GET.KV_sw-2_my_pool_lat", "sw_nodes",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for key, want := range map[string]error{
		"": ErrSyntax, ".": ErrSyntax, "a.": ErrSyntax, "a..b": ErrSyntax, "*": ErrSyntax, "a.>": ErrSyntax, "a b": ErrSyntax, "a/b": ErrSyntax,
		x(MaxKey + 1): ErrTooLong,
	} {
		if got, err := b.Key(key); !errors.Is(err, want) {
			t.Errorf("Key(%.40q) = %q, %v", key, got, err)
		}
		if got, err := b.DirectGet(key); !errors.Is(err, want) {
			t.Errorf("DirectGet(%.40q) = %q, %v", key, got, err)
		}
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	p := Prefix("sw")
	got := [][]string{{p.All()}, p.BackendPublishes(), p.BackendHears(), p.BackendServes([]string{"rpc", "svc.shop", "rpc"})}
	want := [][]string{
		{"sw.>"},
		{"sw.*.top.>", "sw.*.pub.>", "sw.*.api.>", "sw.*.conn.>", "sw.*.user.>"},
		{"sw.*.ev.>"},
		{"sw.*.auth.>", "sw.*.rpc.>", "sw.*.svc.shop.>"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
