package daemon

import (
	"log/slog"
	"math"

	"golang.org/x/sys/unix"
)

const (
	// fewDescriptors is how many open connections a public tracker sees easily.
	fewDescriptors = 10_000
	// ownDescriptors are kept for listening sockets, files and the operator.
	ownDescriptors = 256
)

// raiseDescriptors lets the process open as many files as its hard limit
// allows, and says when that is little for a tracker. It returns how many of
// them are for connections, 0 when that is unknown.
func raiseDescriptors(log *slog.Logger) (connections int) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		log.Warn("the limit of open files is unknown", "error", err)
		return 0
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
	all := int(min(uint64(limit.Cur), math.MaxInt32))
	return max(all-ownDescriptors, all/2)
}
