package broker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// Bounds of asking one address who is there.
const (
	peerTimeout = time.Second
	peerInfo    = 64 << 10 // bytes
)

// Peers names the nodes that are up at the mesh's configured addresses, this one left out; none without a mesh. It takes
// no more than a second.
func (b *Broker) Peers(ctx context.Context) []names.NodeID {
	if b.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	found := make([]names.NodeID, len(b.deps.Mesh.Peers))
	var wg sync.WaitGroup
	for i, addr := range b.deps.Mesh.Peers {
		wg.Go(func() { found[i] = whoIsAt(ctx, addr) })
	}
	wg.Wait()
	slices.Sort(found)
	return slices.DeleteFunc(slices.Compact(found), func(id names.NodeID) bool { return id == "" || id == b.deps.Node })
}

// whoIsAt asks the NATS server at an address for the node that it belongs to. A server says its name before the other
// side must say anything. It is "" when nobody is there.
func whoIsAt(ctx context.Context, addr string) names.NodeID {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok && conn.SetReadDeadline(deadline) != nil {
		return ""
	}
	line, err := bufio.NewReader(io.LimitReader(conn, peerInfo)).ReadBytes('\n')
	text, isInfo := bytes.CutPrefix(line, []byte("INFO "))
	if err != nil || !isInfo {
		return ""
	}
	var info struct {
		Name string `json:"server_name"`
	}
	if json.Unmarshal(text, &info) != nil {
		return ""
	}
	id, err := names.ParseNodeID(info.Name)
	if err != nil {
		return ""
	}
	return id
}
