// Package edge is the HTTP server: request record, route, authorizer, handler, access log.
package edge
