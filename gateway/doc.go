// Package gateway owns the websocket connections of the session pools: their authorization, their calls, the topics
// they are subscribed to and the sessions of their users.
package gateway
