package dev

import "strconv"

// DefaultPort is the port of the page when none is given.
const DefaultPort = 8000

// Options are the command line.
type Options struct {
	// Routes serve files or pass requests on: DEST, /path=DEST, sub=DEST or sub/path=DEST, where DEST is a directory
	// or http://host[:port][/path].
	Routes []string
	// Lattices are gateway routes: PATTERN=http://host[:port], where calls and authorizations go to.
	Lattices []string
	// Port is where everything is served, on 127.0.0.1. 1 to 65535.
	Port int
	// APIPort is that of the backend API for gateway routes; 0 means the one after Port.
	APIPort int
	// NATS is the address of the listener for backends that speak NATS; empty for none.
	NATS string
	// NATSCalls are method patterns, such as "pizza.*", whose calls go to backends that speak NATS. They need NATS.
	NATSCalls []string
	// CrossDomain allows pages of any origin to read the answers.
	CrossDomain bool
}

// apiPort is where the backends publish and subscribe.
func (o Options) apiPort() int {
	if o.APIPort != 0 {
		return o.APIPort
	}
	return o.Port + 1
}

// API is the address of the backend API, empty when there is no gateway route.
func (o Options) API() string {
	if len(o.Lattices) == 0 {
		return ""
	}
	return "127.0.0.1:" + strconv.Itoa(o.apiPort())
}
