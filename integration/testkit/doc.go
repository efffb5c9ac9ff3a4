// Package testkit starts the built programs and everything around them for black-box tests: scripted backends, NATS servers,
// raw clients, broken networks and browsers. It knows the programs only from outside.
//
// Everything that it starts ends with the test. Nothing sleeps: a wait ends with an event, or fails with what was seen.
package testkit
