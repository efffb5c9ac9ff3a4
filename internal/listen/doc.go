// Package listen binds the addresses of the configuration, follows their names, and accepts connections under one
// shared limit.
//
// A Group owns the sockets of one `listen` list. The connections that it accepts embed *net.TCPConn, so that writev,
// sendfile and splice keep working through them, and keep the time limits of a connection's phases (decision D36); see
// Conn.
package listen
