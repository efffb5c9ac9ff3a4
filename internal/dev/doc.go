// Package dev is what only swindon-dev does: it turns routes of a command line into the text of a configuration. It
// writes text and nothing else, so that `swindon-dev --show-config` shows exactly what is served.
package dev
