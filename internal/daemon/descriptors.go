package daemon

import (
	"log/slog"

	"golang.org/x/sys/unix"
)

// fewDescriptors is how many open connections a public tracker sees easily.
const fewDescriptors = 10_000

// raiseDescriptors lets the process open as many files as its hard limit
// allows, and says when that is little for a tracker.
func raiseDescriptors(log *slog.Logger) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		log.Warn("the limit of open files is unknown", "error", err)
		return
	}
	if limit.Cur < limit.Max {
		raised := limit
		raised.Cur = raised.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err == nil {
			limit = raised
		}
	}
	if limit.Cur < fewDescriptors {
		log.Warn("few connections can be open at once: raise the limit of open files (LimitNOFILE= of the unit, or ulimit -Hn)",
			"limit", limit.Cur, "wanted", fewDescriptors)
	}
}
