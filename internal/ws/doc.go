// Package ws is the websocket layer: it tells handshakes from other requests, takes connections over, reads messages
// and control frames, and sends through bounded outboxes. It is the only importer of gorilla/websocket.
package ws
