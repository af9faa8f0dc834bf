package swarm_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the processor time that the process has used: on a busy
// machine it says what wall time cannot.
func cpuTime(tb testing.TB) time.Duration { return clock(tb, unix.CLOCK_PROCESS_CPUTIME_ID) }

// threadTime returns the processor time of the calling thread, to which the
// caller is locked.
func threadTime(tb testing.TB) time.Duration { return clock(tb, unix.CLOCK_THREAD_CPUTIME_ID) }

func clock(tb testing.TB, id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(ts.Nano())
}
