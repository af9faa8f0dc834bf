package daemon

import (
	"strings"
	"testing"
	"testing/fstest"

	"spate/internal/config"
)

func TestSystemNotes(t *testing.T) {
	root := fstest.MapFS{
		"proc/sys/net/core/somaxconn":             {Data: []byte("128\n")},
		"proc/sys/net/netfilter/nf_conntrack_max": {Data: []byte("65536\n")},
	}
	cfg := config.Default()
	cfg.Protocol.MaxMemory = config.Memory{Bytes: 2 << 30}
	got := strings.Join(systemNotes(&cfg, 1<<30, root), "\n")
	for _, want := range []string{"tcp_backlog = 1024 is cut to 128", "at most 65536 connections", "below the 1024 MiB"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	cfg = config.Default()
	root["proc/sys/net/core/somaxconn"].Data = []byte("4096\n")
	delete(root, "proc/sys/net/netfilter/nf_conntrack_max")
	if notes := systemNotes(&cfg, 1<<30, root); len(notes) != 0 {
		t.Errorf("nothing is wrong, but %q", notes)
	}
}
