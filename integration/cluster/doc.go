// Package cluster tests several nodes together, in all four ways to run them: what is promised must hold on every node, and go on
// holding when links break, nodes are killed and NATS goes away. Each test of TestWeakness… shows that a weakness of the original
// (protocol §12.3) is gone.
package cluster
