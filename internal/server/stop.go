package server

import "time"

// How the time of a stop is shared out, from its beginning on. See docs/adr/0056.

const (
	// drainLimit is how long a stopping server goes on as before, except that it closes
	// each connection after its next answer. Kept connections may ask once more, and new
	// ones still arrive whose first packet came before the stop: their handshake takes a
	// round trip, to the far side of the world for some. They may then be silent for as
	// long again.
	drainLimit = 300 * time.Millisecond
	// headShare and replyShare are up to when heads and handshakes under way, and
	// replies, may go on, in tenths of the shutdown timeout.
	headShare  = 6
	replyShare = 9
)

// drainTime is how long after the beginning of a stop idle connections are closed, and
// the listening sockets.
func drainTime(timeout time.Duration) time.Duration { return min(drainLimit, timeout/4) }

// silentTime is how long after the beginning of a stop new connections are given up on
// which no byte has come.
func silentTime(timeout time.Duration) time.Duration { return 2*drainTime(timeout) + timeout/10 }

// headTime is how long after the beginning of a stop partial heads are given up.
func headTime(timeout time.Duration) time.Duration { return timeout * headShare / 10 }

// replyTime is how long after the beginning of a stop everything ends.
func replyTime(timeout time.Duration) time.Duration { return timeout * replyShare / 10 }
