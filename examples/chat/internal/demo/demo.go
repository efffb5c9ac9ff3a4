// Package demo starts the whole example as processes, and stops all of them when its context ends.
//
// Run starts one gateway with its embedded NATS, two chat backends and two pizza backends; the end of one ends all.
// RunCluster starts three NATS servers, two gateways, the backends and a front; whatever ends is started again.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options say what to start.
type Options struct {
	// Swindon is the gateway's program, Dir the folder of the example.
	Swindon, Dir string
	// Port is that of the page; the following ones are for everything else. With 0 free ports are taken.
	Port int
	// Back is how long after its end a process of the cluster is started again; the front comes back at once.
	Back time.Duration
	// Stdout gets what a user should read, Stderr the processes' diagnostics.
	Stdout, Stderr io.Writer
}

// programs are the paths of swindon and of the example itself.
func (o Options) programs() (swindon, self string, err error) {
	if swindon, err = filepath.Abs(o.Swindon); err != nil {
		return "", "", err
	}
	self, err = os.Executable()
	return swindon, self, err
}

// variables makes a process's environment out of configuration keys: "nats.listen", "[…]" overrides what the file says.
func variables(pairs ...string) []string {
	var env []string
	for i := 0; i < len(pairs); i += 2 {
		name := strings.NewReplacer(".", "__", "-", "_").Replace(strings.ToUpper(pairs[i]))
		env = append(env, "SWINDON__"+name+"="+pairs[i+1])
	}
	return env
}

// list writes addresses as a configuration's list.
func list(addrs ...string) string { return "[" + strings.Join(addrs, ",") + "]" }

// Run starts one of everything that is needed, prints the address when the page answers, and returns when all processes
// have ended.
func Run(ctx context.Context, o Options) error {
	addrs, err := addresses(ctx, o.Port, 6)
	if err != nil {
		return err
	}
	page, api, chat1, chat2, bus, admin := addrs[0], addrs[1], addrs[2], addrs[3], addrs[4], addrs[5]
	swindon, self, err := o.programs()
	if err != nil {
		return err
	}
	g := newGroup(ctx, o.Dir, o.Stdout, o.Stderr)
	g.start(process{name: "swindon", program: swindon, args: []string{"--config", "swindon.yaml"}, back: -1, env: variables(
		"listen", list(page), "admin.listen", list(admin), "session-pools.main.listen", list(api),
		"http-destinations.chat.addresses", list(chat1, chat2), "nats.listen", list(bus))})
	for i, addr := range []string{chat1, chat2} {
		g.start(process{name: fmt.Sprintf("chat-%d", i+1), program: self, args: []string{"serve", "-listen", addr, "-api", "http://" + api}, back: -1})
	}
	for i := range 2 {
		g.start(process{name: fmt.Sprintf("pizza-%d", i+1), program: self, args: []string{"pizza", "-nats", "nats://" + bus}, back: -1})
	}
	if err := ready(g.ctx, "http://"+page+"/api/health"); err == nil {
		g.tell("The chat is at http://%s/   (Ctrl-C ends it)", page)
	} else {
		g.stop(err)
	}
	if err := g.wait(); ctx.Err() == nil {
		return err
	}
	return nil // Ctrl-C is how it is meant to end
}
