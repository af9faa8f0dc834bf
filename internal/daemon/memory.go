package daemon

import (
	"io/fs"
	"log/slog"
	"math/bits"
	"path"
	"strconv"
	"strings"
)

// fewAddresses is how many bytes a process of 32 bits can count on having addresses
// for: some kernels keep the other half (docs/adr/0035).
const fewAddresses = 2 << 30

// availableMemory returns how many bytes the process may use: what the machine
// has, or its cgroup where that is less, or what it has addresses for. 0 means that
// it is unknown.
func availableMemory(log *slog.Logger) int64 {
	n := memoryOfSystem()
	if n == 0 {
		log.Warn("the size of this machine's memory is unknown: max_memory = \"auto\" is no limit")
	}
	return addressable(n, bits.UintSize)
}

// addressable returns what of n bytes of memory a process has addresses for.
func addressable(n int64, addressBits int) int64 {
	if addressBits == 32 {
		return min(n, fewAddresses)
	}
	return n
}

// memoryLimit returns what /proc and /sys below root say: the least of the
// machine's memory and the limits of the process's cgroup and those above it.
// 0 means unknown.
func memoryLimit(root fs.FS) int64 {
	limit := int64(0)
	lower := func(n int64) {
		if n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	for line := range lines(root, "proc/meminfo") {
		if rest, found := strings.CutPrefix(line, "MemTotal:"); found {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 54)
			if err == nil {
				lower(kib << 10)
			}
		}
	}
	for line := range lines(root, "proc/self/cgroup") {
		// Version 2 is "0::/path", version 1 "7:memory:/path".
		parts := strings.SplitN(line, ":", 3)
		if len(parts) < 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		if parts[1] != "" {
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
		}
		// In a container the path may be that of the host, and the container's
		// own cgroup is at the top.
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			for number := range lines(root, path.Join(mount, dir, file)) {
				n, err := strconv.ParseInt(number, 10, 64)
				if err == nil { // "max" is no limit
					lower(n)
				}
			}
			if dir == "/" {
				break
			}
		}
	}
	return limit
}

// lines returns the lines of a file, none when it cannot be read.
func lines(root fs.FS, name string) func(func(string) bool) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		data = nil
	}
	return strings.SplitSeq(strings.TrimSpace(string(data)), "\n")
}
