package demo

import (
	"context"
	"fmt"
	"net"
)

// addresses returns loopback addresses that are free at the moment, or says which one is not. Port 0 takes any.
func addresses(ctx context.Context, port, count int) ([]string, error) {
	var addrs []string
	for i := range count {
		want := "127.0.0.1:0"
		if port != 0 {
			want = fmt.Sprintf("127.0.0.1:%d", port+i)
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", want)
		if err != nil {
			return nil, fmt.Errorf("%w (choose other ports: make demo PORT=9000)", err)
		}
		// Kept open until all are known, so that no two are the same.
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
