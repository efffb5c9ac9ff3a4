// Package backend makes the requests that the gateway itself sends to application servers (authorizations, calls of
// clients, notices of inactivity), over HTTP or over NATS, and gives their replies a meaning (protocol §2, §4, §10.5).
//
// It sees upstream destinations and NATS only through the two small interfaces of this file's neighbours; what a
// client is told is decided in gateway.
package backend
