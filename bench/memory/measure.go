package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"spate/internal/swarm"
)

// The budget of docs/performance.md, in bytes.
const (
	perTorrent = 64
	perPeer4   = 16
	perPeer6   = 28
	fixed      = 24 * mib
	// stormSlack is what may stay, beyond twice the empty store's, after all peers
	// have expired.
	stormSlack = 4 * mib
	// maxGC is the processor time of a collection.
	maxGC = 5 * time.Millisecond
)

func budget(s swarm.Stats) int64 {
	return int64(s.Torrents)*perTorrent + int64(s.Peers4)*perPeer4 + int64(s.Peers6)*perPeer6 + fixed
}

// resident returns the resident size of the process, 0 where the system does
// not tell.
func resident() int64 {
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// A collection is what a forced garbage collection costs.
type collection struct{ cpu, longest time.Duration }

func forcedGC() collection {
	const rounds = 10
	before := cpuTime()
	for range rounds {
		runtime.GC()
	}
	c := collection{cpu: (cpuTime() - before) / rounds}
	var stats debug.GCStats
	debug.ReadGCStats(&stats)
	for _, p := range stats.Pause[:min(rounds, len(stats.Pause))] {
		c.longest = max(c.longest, p)
	}
	return c
}

func cpuTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
