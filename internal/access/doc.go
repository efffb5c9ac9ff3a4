// Package access decides whether a request may go on: the authorizers of the configuration.
package access
