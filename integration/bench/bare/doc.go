// Package bare holds the baselines: the least that a Go program needs for the same work, with the same websocket library.
//
// Each has a queue and a writer goroutine per connection that gathers what is queued into one write, because a server that
// writes each message by itself would be too easy to beat. They check nothing, know no users and one topic.
package bare
