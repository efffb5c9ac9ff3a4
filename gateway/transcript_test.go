package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/unit"
)

var memnetPeer = netip.MustParseAddr("127.0.0.1")

// TestTranscripts plays testdata/transcripts. Each is a text that says what it shows, a section "config", and a
// "script" of lines. Capitals but B are clients, B is all backends, "api" a backend that calls the HTTP API. A digit
// behind @ names the node. $A is the id of client A's connection.
//
//	A> open@1 /path | Header: value …      a handshake; "mute" clients answer nothing, "pings" show pings
//	A> {"text"} · A> bin x · A> ping x · A> close 1000 x · A> drop · A> raw HEX · A> part x · A> rest x
//	A< EVENT                               the next event (see client) is this; JSON is compared as JSON
//	A. nothing                             no event is there
//	B! PATH | Field: value | Body: JSON    the next request of the gateway
//	B< STATUS BODY · B< STATUS TYPE BODY · B< fail NAME · B< code CODE BODY      the answer to the last request shown
//	B. nothing · B~                        no request is there; the last request was given up
//	api@1 METHOD TARGET | Header: value | Body: text = STATUS WARNING
//	nats SUBJECT BODY [= CODE]             a backend publishes, or requests and gets this error code ("ok" for none)
//	nats serve SUBJECT                     a backend serves a subject
//
// With "also: mesh" in its config a transcript is played a second time on nodes without a store.
//
//	wait 3s · bus@1 down, up, stalled or moving · drain@1 5s · stop@1 · stats@1 NAME = VALUE
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/transcripts/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(ar.Comment) == 0 {
				t.Fatal("a transcript begins with what it shows")
			}
			sections := map[string]string{}
			for _, f := range ar.Files {
				sections[f.Name] = string(f.Data)
			}
			synctest.Test(t, func(t *testing.T) { play(t, sections["config"], sections["script"]) })
			if mesh := strings.Replace(sections["config"], "also: mesh", "mesh: true", 1); mesh != sections["config"] {
				t.Run("mesh", func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { play(t, mesh, sections["script"]) })
				})
			}
		})
	}
}

// stage is one transcript being played.
type stage struct {
	t        *testing.T
	setup    *setup
	network  *memory.Network
	outside  *memory.Bus
	backends *backends
	nodes    map[string]*node
	clients  map[string]*client
	opened   map[string]int // by node
	vars     map[string]string
	last     *seen
	line     string
}

func play(t *testing.T, config, script string) {
	t.Helper()
	s := &stage{
		t: t, setup: newSetup(t), network: memory.NewNetwork(0), backends: &backends{}, nodes: map[string]*node{},
		clients: map[string]*client{}, opened: map[string]int{}, vars: map[string]string{},
	}
	s.outside = s.network.Join()
	t.Cleanup(func() {
		s.backends.end()
		for _, c := range s.clients {
			_ = c.conn.Close()
		}
	})
	count := s.configure(config)
	for n := 1; n <= count; n++ {
		s.nodes[strconv.Itoa(n)] = startNode(t, n, s.setup, s.network, s.backends)
		s.vars["node"+strconv.Itoa(n)] = string(nodeID(n))
	}
	for _, nd := range s.nodes {
		for !nd.pool.Ready() { // the last nodes of a mesh are still loading from the first
			time.Sleep(time.Millisecond)
		}
	}
	for i, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s.line = fmt.Sprintf("line %d: %s", i+1, line)
		synctest.Wait()
		s.step(s.expand(line))
	}
	synctest.Wait()
	for name, c := range s.clients {
		if e := c.next(); e != "" {
			t.Errorf("at the end: client %s has got %s", name, e)
		}
	}
	if q := s.backends.next(); q != nil {
		t.Errorf("at the end: a backend has got %s %s", q.path, q.body)
	}
}

var variable = regexp.MustCompile(`\$[A-Za-z0-9]+`)

func (s *stage) expand(line string) string {
	return variable.ReplaceAllStringFunc(line, func(v string) string {
		if x, ok := s.vars[v[1:]]; ok {
			return x
		}
		return v
	})
}

func (s *stage) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n%s", s.line, fmt.Sprintf(format, args...))
}

// configure reads the lines "key: value" of a transcript and returns the number of nodes.
func (s *stage) configure(config string) (nodes int) {
	nodes = 1
	p, h := &s.setup.pool, &s.setup.handler
	for line := range strings.Lines(config) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		number, _ := strconv.Atoi(value)
		length, _ := unit.ParseDuration(value)
		switch key {
		case "nodes":
			nodes = number
		case "methods":
			s.setup.methods(s.t, value)
		case "compatibility":
			h.Compatibility = map[string]gateway.Compatibility{"old-5": gateway.Old5, "old-6": gateway.Old6}[value]
		case "allowed-origins":
			h.AllowedOrigins = strings.Fields(value)
		case "forward-headers":
			h.ForwardHeaders = strings.Fields(value)
		case "forward-remote-addr":
			h.ForwardRemoteAddr = value == "true"
		case "http-route":
			s.setup.plain = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(number) })
		case "inactivity-handlers":
			for f := range strings.FieldsSeq(value) {
				d, err := names.ParseDestination(f)
				if err != nil {
					s.t.Fatal(err)
				}
				p.InactivityHandlers = append(p.InactivityHandlers, d)
			}
		case "new-connection-idle-timeout":
			p.NewConnectionIdleTimeout = length
		case "client-min-idle-timeout":
			p.ClientMinIdleTimeout = length
		case "client-max-idle-timeout":
			p.ClientMaxIdleTimeout = length
		case "max-calls-in-flight":
			p.MaxCallsInFlight = number
		case "max-subscriptions-per-connection":
			p.MaxSubscriptionsPerConnection = number
		case "max-pending-bytes":
			p.MaxPendingBytes = number
		case "max-pending":
			p.MaxPending = number
		case "max-connections-per-user":
			p.MaxConnectionsPerUser = number
		case "max-frame-size":
			p.MaxFrameSize = int64(number)
		case "max-payload-size":
			p.MaxPayloadSize = int64(number)
		case "max-outgoing-frames":
			p.MaxOutgoingFrames = number
		case "max-value-size":
			p.Limits.MaxValueSize = int64(number)
		case "max-set-size":
			p.Limits.MaxSetSize = number
		case "max-keys-per-user":
			p.Limits.MaxKeysPerUser = number
		case "max-keys-per-namespace":
			p.Limits.MaxKeysPerNamespace = number
		case "also":
		case "mesh":
			s.setup.mesh = value == "true"
		case "api-tokens":
			p.APITokens = []names.Secret{names.Secret(value)}
		case "strict-api":
			p.StrictAPI = value == "true"
		case "max-in-flight":
			s.setup.nats.MaxInFlight = number
		case "no-responders-timeout":
			s.setup.nats.NoRespondersTimeout = length
		default:
			s.t.Fatalf("config: unknown key %q", key)
		}
	}
	return nodes
}

// step plays one line.
func (s *stage) step(line string) {
	s.t.Helper()
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	verb, at, found := strings.Cut(word, "@")
	if !found {
		at = "1"
	}
	switch verb {
	case "wait":
		d, err := unit.ParseDuration(rest)
		if err != nil {
			s.fatalf("%v", err)
		}
		time.Sleep(d)
	case "bus":
		switch rest {
		case "down", "up":
			s.nodes[at].bus.SetDown(rest == "down")
		case "stalled", "moving":
			s.nodes[at].bus.SetStalled(rest == "stalled")
		default:
			s.fatalf("unknown state")
		}
	case "drain":
		s.drain(s.nodes[at], rest)
	case "stop":
		go s.nodes[at].pool.Stop()
	case "stats":
		s.stats(s.nodes[at], rest)
	case "api":
		s.api(s.nodes[at], rest)
	case "nats":
		s.nats(rest)
	case "B!":
		s.request(rest)
	case "B<":
		s.respond(rest)
	case "B.":
		if q := s.backends.next(); q != nil {
			s.fatalf("a backend has got %s %s", q.path, q.body)
		}
	case "B~":
		select {
		case <-s.last.gone:
		default:
			s.fatalf("the gateway still waits for the answer")
		}
	default:
		s.client(word[:1], word[1:], rest)
	}
}

func (s *stage) client(name, verb, rest string) {
	s.t.Helper()
	if verb == ">" && strings.HasPrefix(rest, "open") {
		what, headers, _ := strings.Cut(rest, "|")
		op, target, _ := strings.Cut(strings.TrimSpace(what), " ")
		_, at, found := strings.Cut(op, "@")
		if !found {
			at = "1"
		}
		var list []string
		if headers != "" {
			list = strings.Split(headers, "|")
		}
		s.clients[name] = open(s.t, s.nodes[at].listener, strings.TrimSpace(target), list)
		s.vars[name] = fmt.Sprintf("%s-%d", nodeID(int(at[0]-'0')), s.opened[at])
		s.opened[at]++
		return
	}
	c := s.clients[name]
	if c == nil {
		s.fatalf("no client %s", name)
	}
	switch verb {
	case ">":
		s.send(c, rest)
	case "<":
		got := c.next()
		if !equal(rest, got) {
			s.fatalf("client %s got\n  %s", name, got)
		}
	case ".":
		if e := c.next(); e != "" {
			s.fatalf("client %s got\n  %s", name, e)
		}
	default:
		s.fatalf("unknown verb %q", verb)
	}
}

// equal compares events: JSON as JSON, all else as text. "*" stands for any JSON value, and for the name of a member
// that is the only one.
func equal(want, got string) bool {
	if want == got {
		return true
	}
	var a, b any
	if json.Unmarshal([]byte(want), &a) != nil || json.Unmarshal([]byte(got), &b) != nil {
		return false
	}
	return alike(a, b)
}

func alike(want, got any) bool {
	switch w := want.(type) {
	case string:
		return w == "*" || want == got
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(w, g, alike)
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(w) != len(g) {
			return false
		}
		for k, v := range w {
			if k == "*" && len(w) == 1 {
				for k = range g {
				}
			}
			if x, ok := g[k]; !ok || !alike(v, x) {
				return false
			}
		}
		return true
	}
	return cmp.Equal(want, got)
}
