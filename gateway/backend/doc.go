// Package backend turns a call or an authorization into a request over HTTP or NATS and reads the reply's meaning.
package backend
