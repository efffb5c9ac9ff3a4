package admin

// Config is the section admin. The tags are read by internal/config.
type Config struct {
	// Listen are the addresses of /live, /ready, /metrics and the status, each "host:port". Nobody is asked for a
	// password there: bind them to an address that only the operator reaches.
	Listen []string `config:"listen,addr,ours"`
}
