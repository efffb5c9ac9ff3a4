// Package http1 serves plain HTTP/1.1 requests without net/http's server: those with no body that ask for no upgrade.
//
// It is made for the two things that an edge does most often, to answer a GET with a file and to pass one on. A
// connection on which anything else comes (a body, an upgrade, HTTP/1.0, Expect, a head over 4 KiB, whatever is not
// plainly well-formed) is handed, with all bytes, to a net/http server and stays there. So the parser needs to know
// only what it is sure of, and net/http remains the judge of all that is doubtful (ADR 15).
package http1
