// Package sock reads and writes sockets without telling Go's scheduler (docs/adr/0020).
//
// Before each system call the scheduler makes ready for the case that it takes long, and wakes its monitor thread where
// that sleeps, which it does in a server that waits for its clients. On a socket that does not block, a call takes about as
// long as that thread needs to wake up; so a program that is often idle for a moment pays twice for each packet.
//
// The functions are for sockets in non-blocking mode, as all of package net's are, from within the functions that
// syscall.RawConn calls. Large writes take the usual way, as does everything on other systems than Linux and in
// programs built with the race detector, which learns from the usual calls what happened before what.
package sock
