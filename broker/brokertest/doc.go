// Package brokertest is one suite for every implementation of the fabric: package broker and package broker/memory.
package brokertest
