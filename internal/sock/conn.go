package sock

import "net"

// Quiet returns a connection whose Read and Write are quiet, or nc itself when there is no socket below it.
func Quiet(nc net.Conn) net.Conn {
	if q := Of(nc); q != nil {
		return quiet{nc, q}
	}
	return nc
}

type quiet struct {
	net.Conn
	sock *Conn
}

func (c quiet) Read(p []byte) (int, error)  { return c.sock.Read(p) }
func (c quiet) Write(p []byte) (int, error) { return c.sock.Write(p) }
