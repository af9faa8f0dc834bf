package daemon

import (
	"strings"
	"testing"
	"testing/fstest"

	"spate/internal/config"
	"spate/internal/swarm"
)

func TestMemoryLimit(t *testing.T) {
	const meminfo = "MemTotal:       16000000 kB\nMemFree: 1 kB\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing known": {nil, 0},
		"machine":       {map[string]string{"proc/meminfo": meminfo}, 16000000 << 10},
		"cgroup 2, limit above the process's own": {map[string]string{
			"proc/meminfo":                                        meminfo,
			"proc/self/cgroup":                                    "0::/system.slice/spate.service\n",
			"sys/fs/cgroup/system.slice/memory.max":               "1073741824\n",
			"sys/fs/cgroup/system.slice/spate.service/memory.max": "max\n",
		}, 1 << 30},
		"cgroup 2 in a container": {map[string]string{
			"proc/meminfo":             meminfo,
			"proc/self/cgroup":         "0::/../../outside\n",
			"sys/fs/cgroup/memory.max": "536870912\n",
		}, 512 << 20},
		"cgroup 1": {map[string]string{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": "12:cpu,cpuacct:/x\n7:memory:/docker/1\n",
			"sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "268435456\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes":        "1\n",
		}, 256 << 20},
		"cgroup 1 without a limit": {map[string]string{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": "7:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 16000000 << 10},
	} {
		root := fstest.MapFS{}
		for file, text := range tt.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := memoryLimit(root); got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
}

// TestMemoryOfAddresses: where addresses have 32 bits, they are what there is of memory.
func TestMemoryOfAddresses(t *testing.T) {
	for _, tt := range []struct {
		memory int64
		bits   int
		want   int64
	}{
		{0, 32, 0},
		{512 << 20, 32, 512 << 20},
		{8 << 30, 32, 2 << 30},
		{8 << 30, 64, 8 << 30},
	} {
		if got := addressable(tt.memory, tt.bits); got != tt.want {
			t.Errorf("with %d bits, %d of %d bytes can be had, want %d", tt.bits, got, tt.memory, tt.want)
		}
	}
}

// TestStoreMemory: what is configured holds as far as a store can keep to it, and the
// operator is told of the rest.
func TestStoreMemory(t *testing.T) {
	for _, tt := range []struct {
		configured config.Memory
		want       int64
		warns      bool
	}{
		{config.Memory{Auto: true}, 1000 << 20 / 10 * 6, false},
		{config.Memory{Bytes: 100 << 20}, 100 << 20, false},
		{config.Memory{}, swarm.MemoryLimit, false},
		{config.Memory{Bytes: swarm.MemoryLimit}, swarm.MemoryLimit, false},
		{config.Memory{Bytes: 1 << 61}, swarm.MemoryLimit, true},
	} {
		if got := storeMemory(tt.configured, 1000<<20); got != tt.want {
			t.Errorf("%+v of 1000 MiB gives the store %d, want %d", tt.configured, got, tt.want)
		}
		cfg := config.Default()
		cfg.Protocol.MaxMemory = tt.configured
		warnings, _ := notes(&cfg)
		if told := strings.Contains(strings.Join(warnings, "\n"), "max_memory = "); told != tt.warns {
			t.Errorf("%+v: warns %v, want %v: %q", tt.configured, told, tt.warns, warnings)
		}
	}
}
