// Package memory is the fabric of package broker without NATS: several nodes share one Network in one process.
//
// It keeps the promises that broker makes, down to which error means what, and uses neither sockets nor the real
// clock, so that it works inside a synctest bubble. It has switches for faults: a node that is cut off, a slow or
// stalled way to the network, messages that get lost. Package brokertest holds both to one suite.
package memory
