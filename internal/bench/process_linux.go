package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime returns the time, user and system, that a process has run, with all its
// threads, exact to the nanosecond.
func CPUTime(pid int) (time.Duration, error) {
	var ts unix.Timespec
	// The clock of a process: its inverted number above three bits that say
	// which kind of clock (see clock_getcpuclockid(3) and the kernel's
	// posix-timers.h).
	if err := unix.ClockGettime(int32(^uint32(pid)<<3|2), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d, which has ended: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// Resident returns the resident memory of a process, and the most that it was, in
// bytes.
func Resident(pid int) (now, peak uint64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	return field(status, "VmRSS:") << 10, field(status, "VmHWM:") << 10, nil
}

// field returns the number behind a name in a status file of /proc.
func field(status []byte, name string) uint64 {
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) >= 2 && words[0] == name {
			n, _ := strconv.ParseUint(words[1], 10, 64)
			return n
		}
	}
	return 0
}
