// Package memnet is a network in memory for tests: a listener, dialled connections with bounded buffers, deadlines and
// half-close. It waits on channels and timers only, so everything that runs over it may run in a testing/synctest
// bubble, where real sockets may not.
package memnet
