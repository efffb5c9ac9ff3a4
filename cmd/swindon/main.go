// Command swindon serves HTTP, websockets and everything else that its configuration file describes.
package main

import "os"

func main() { os.Exit(run(os.Args, os.Environ(), os.Stdout, os.Stderr)) }
