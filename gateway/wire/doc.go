// Package wire turns the text frames of the client protocol into values and back (protocol §3).
//
// Nothing is decoded that need not be: metadata, arguments and data stay the bytes that came in. What is returned for
// a frame shares that frame's memory.
package wire
