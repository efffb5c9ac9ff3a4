// Package proxy holds the upstream destinations, with their queues and connections, and the reverse-proxy handler.
//
// A Destination is a set of backend addresses with one queue in front of all of them. A request takes an idle
// connection, or opens one where the fewest are, or waits for its turn: first in, first out. Connections are opened
// only by a request that needs one, by its own goroutine, and carry one request at a time; the request is written and
// the response read in that goroutine too, so a request costs no hand-over between goroutines. Calls of the gateway
// (Call) and proxied requests (NewHandler) share the queue.
//
// Who owns what: the queue, the idle connections and the counts per backend are guarded by Destination.mu, under which
// nothing blocks. A connection that was handed out belongs to the goroutine of its request until it is given back or
// dropped. Stats are atomic counters.
package proxy
