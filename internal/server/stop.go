package server

import "time"

// How the time of a stop is shared out, from its beginning on. See docs/adr/0056.

const (
	// drainLimit is for how long a stopping server goes on as before, but for closing
	// after each answer: kept connections may be asked once more, and such arrive as
	// had sent their first packet before, whose handshake takes a round trip to the
	// far side of the world. For as long again a new one may then be silent.
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
