// Package static serves files from the disk.
package static
