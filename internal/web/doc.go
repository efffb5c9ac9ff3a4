// Package web holds what every HTTP answer of the server has in common: the record of a request, the error page and
// its reason phrases, the response writer that adds Server and debug headers, and configured extra headers.
package web
