// Package broker carries bytes over NATS and runs the embedded NATS server; no other package knows NATS.
package broker
