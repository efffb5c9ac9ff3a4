// Package proxy holds the upstream destinations, with their queues and connections, and the reverse-proxy handler.
package proxy
