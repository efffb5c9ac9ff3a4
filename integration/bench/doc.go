// Package bench measures the built swindon against bare programs and nginx, all in processes of their own on the loopback.
//
// It imports none of our other packages: it knows the program only by its wire protocols, its files and /proc, so it can
// measure any build. The command is cmd/bench; the programs that it measures against stand in bare, what makes the load in
// load, both run as workers (package worker) of the same executable.
package bench
