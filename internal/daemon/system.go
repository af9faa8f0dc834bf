package daemon

import (
	"fmt"
	"io/fs"
	"strconv"

	"spate/internal/config"
)

const (
	// smallConntrack is a connection tracking table that a public tracker's
	// short connections, each of which stays in it for two minutes, soon fill.
	smallConntrack = 262_144
	// mostMemory is the part of the memory that there is, in tenths, beyond which a
	// store is likely to get the process killed.
	mostMemory = 9
)

// systemNotes returns what of the system below root does not fit the
// configuration, one sentence each. Available is its memory in bytes, 0 when
// that is unknown.
func systemNotes(cfg *config.Config, available int64, root fs.FS) (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if n := readNumber(root, "proc/sys/net/core/somaxconn"); n > 0 && n < int64(cfg.Network.TCPBacklog) {
		note("[network] tcp_backlog = %d is cut to %d by the kernel: raise net.core.somaxconn", cfg.Network.TCPBacklog, n)
	}
	if n := readNumber(root, "proc/sys/net/netfilter/nf_conntrack_max"); n > 0 && n < smallConntrack {
		note("the firewall tracks at most %d connections, which a busy tracker exceeds: raise net.netfilter.nf_conntrack_max, or do not track its port", n)
	}
	if m := cfg.Protocol.MaxMemory; !m.Auto && available > 0 && storeMemory(m, available) > available/10*mostMemory {
		note("[protocol] max_memory does not keep the process below the %d MiB that there are: it may be killed when the swarms grow", available>>20)
	}
	return notes
}

// readNumber returns the number that a file holds, 0 when there is none.
func readNumber(root fs.FS, name string) int64 {
	for line := range lines(root, name) {
		if n, err := strconv.ParseInt(line, 10, 64); err == nil {
			return n
		}
	}
	return 0
}
