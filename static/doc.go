// Package static serves files from the disk: a directory ([Handler]) or always the same file ([SingleFile]).
//
// A request goes through numbered steps: its path is translated by a pure function that cannot leave the root
// (path.go), method and Range are looked at, the file is opened and its precompressed variants are tried (open.go),
// conditions decide between 200, 304 and 412 (conditions.go), ranges between 200, 206 and 416 (ranges.go), and what is
// left is sent (serve.go). Small files go out with one read and one write, large ones by sendfile.
//
// Symbolic links are followed, out of the root too: who may write into the directory decides what is served. What is
// promised is lexical: no request names a file outside (decision D34).
//
// Work that waits for the disk is bounded by disk pools ([Pools]), which the handlers of a configuration share.
package static
