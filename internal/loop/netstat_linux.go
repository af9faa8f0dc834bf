package loop

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Overflow counts, for the whole network namespace since it was made, the
// connections that never reached a program.
type Overflow struct {
	// ListenOverflows: the accept queue of a listening socket was full.
	ListenOverflows uint64
	// ListenDrops: connections dropped by a listening socket for any reason,
	// full accept queues included.
	ListenDrops uint64
	// SYNCookies: first packets that were answered without being remembered,
	// since the queue of half-open connections was full.
	SYNCookies uint64
}

// errNetstat says that the kernel's table has another shape than expected.
var errNetstat = errors.New("no TcpExt table")

// ReadOverflow reads the counters from /proc/net/netstat.
func ReadOverflow() (Overflow, error) {
	text, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		return Overflow{}, err
	}
	o, err := parseNetstat(text)
	if err != nil {
		return Overflow{}, fmt.Errorf("/proc/net/netstat: %w", err)
	}
	return o, nil
}

// parseNetstat reads pairs of lines: names, then values.
func parseNetstat(text []byte) (o Overflow, err error) {
	lines := bytes.Split(text, []byte("\n"))
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := bytes.Fields(lines[i]), bytes.Fields(lines[i+1])
		if len(names) == 0 || string(names[0]) != "TcpExt:" || len(names) != len(values) {
			continue
		}
		for j, name := range names {
			var to *uint64
			switch string(name) {
			case "ListenOverflows":
				to = &o.ListenOverflows
			case "ListenDrops":
				to = &o.ListenDrops
			case "SyncookiesSent":
				to = &o.SYNCookies
			default:
				continue
			}
			if *to, err = strconv.ParseUint(string(values[j]), 10, 64); err != nil {
				return Overflow{}, err
			}
		}
		return o, nil
	}
	return Overflow{}, errNetstat
}
