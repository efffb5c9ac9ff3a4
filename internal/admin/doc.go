// Package admin answers health, readiness, metrics and inspection on a listener of its own.
package admin
