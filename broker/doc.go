// Package broker carries bytes over NATS and runs the embedded NATS server; no other package knows NATS.
//
// A Broker keeps two connections, rebuilt for ever. On the first, named bus, goes everything whose order matters:
// topics, commands and their answers. On the second, named calls, goes what may overtake: calls, authorizations,
// access to the store. Neither buffers while NATS is away: what cannot be sent fails at once, so that nothing that was
// reported as failed is carried out later.
//
// Interest is permanent: Intake subscribes to a handful of wildcards once, and package gateway filters. So the answer
// "subscribed" is true the moment this node knows it, wherever a message is published (docs/adr/0010).
//
// Package memory has the same in memory, and package brokertest one suite for both.
package broker
