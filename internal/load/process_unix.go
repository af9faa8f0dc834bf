//go:build unix

package load

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// ownDescriptors is how many file descriptors the program itself may need.
const ownDescriptors = 32

// checkDescriptors reports whether this process may have so many connections.
func checkDescriptors(connections int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil // a limit that cannot be read is met when it is reached
	}
	if uint64(connections)+ownDescriptors > uint64(limit.Cur) {
		return fmt.Errorf("num_workers times num_connections = %d: this process may open %d files, and each connection is one: "+
			"ask for fewer, or raise the limit with ulimit -n", connections, limit.Cur)
	}
	return nil
}

// cpuTime returns the processor time, user and system, that this process has
// used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
