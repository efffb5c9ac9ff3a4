package broker

import (
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// Config is the section nats. The tags are read by internal/config.
type Config struct {
	// URL lists the addresses of an external NATS cluster; empty: the embedded server.
	URL []string `config:"url,ours"`
	// User to log in with at the external cluster; empty: none.
	User string `config:"user,opt,ours"`
	// Password of user.
	Password names.Secret `config:"password,opt,ours"`
	// Credentials is a file with a JWT and a key to log in with at the external cluster; empty: none.
	Credentials string `config:"credentials,opt,ours"`
	// TLS of the connection to the external cluster.
	TLS TLSConfig `config:"tls,ours"`
	// Listen is the one address, or none, on which the embedded server takes connections of backends.
	Listen []string `config:"listen,addr,port=4222,atmost=1,ours"`
	// BackendToken is the password of user `backend`, with which backends log in at the embedded server; unset with a
	// listener: they need none.
	BackendToken names.Secret `config:"backend-token,opt,ours"`
	// StoreDir keeps the embedded server's buckets; unset: a private temporary folder, and a restart starts empty.
	StoreDir string `config:"store-dir,opt,ours"`
	// MaxMemory is the memory limit of the embedded JetStream, in bytes.
	MaxMemory int64 `config:"max-memory,min=0,max=1099511627776,size,ours"`
	// MaxStore bounds the buckets of the embedded JetStream, in bytes: those of the session pools have equal shares of it;
	// full: 507. 0: no bound.
	MaxStore int64 `config:"max-store,min=0,max=1125899906842624,size,ours"`
	// Prefix begins all subjects and bucket names: letters, digits and "-".
	Prefix string `config:"prefix,ours"`
	// Replicas of the buckets; unset (0): 3 on a cluster, else 1.
	Replicas int `config:"replicas,opt,min=1,max=5,ours"`
	// CreateBuckets creates absent buckets on an external cluster.
	CreateBuckets bool `config:"create-buckets,ours"`
}

// TLSConfig is nats.tls. Each is a file in PEM form. The tags are read by internal/config.
type TLSConfig struct {
	// CA holds the certificates to trust; empty: those of the system.
	CA string `config:"ca,opt,ours"`
	// Cert holds our own certificate; empty: none.
	Cert string `config:"cert,opt,ours"`
	// Key holds the private key of cert.
	Key string `config:"key,opt,ours"`
}

// DefaultConfig has every default: the embedded server without listener.
func DefaultConfig() Config {
	return Config{MaxMemory: 256 << 20, MaxStore: 1 << 30, Prefix: "sw", CreateBuckets: true}
}

// MeshConfig is the section replication: the embedded servers of the nodes form one cluster (decision D45). The tags
// are read by internal/config.
type MeshConfig struct {
	// Listen is the one address, or none, on which the embedded server takes the other nodes' connections.
	Listen []string `config:"listen,addr,atmost=1"`
	// Peers are the addresses of the other nodes; oneself may be among them.
	Peers []string `config:"peers,addr"`
	// MaxConnections is accepted and has no effect.
	MaxConnections int `config:"max-connections,min=1,max=2147483648"`
	// ListenErrorTimeout is accepted and has no effect.
	ListenErrorTimeout time.Duration `config:"listen-error-timeout"`
	// ReconnectTimeout is accepted and has no effect.
	ReconnectTimeout time.Duration `config:"reconnect-timeout"`
	// Token is the password among the nodes.
	Token names.Secret `config:"token,opt,ours"`
}

// Enabled tells whether the node is part of a mesh.
func (c MeshConfig) Enabled() bool { return len(c.Listen)+len(c.Peers) > 0 }

// DefaultMeshConfig has every default: no mesh.
func DefaultMeshConfig() MeshConfig {
	return MeshConfig{
		MaxConnections: 10, ListenErrorTimeout: 100 * time.Millisecond, ReconnectTimeout: 5 * time.Second,
	}
}
