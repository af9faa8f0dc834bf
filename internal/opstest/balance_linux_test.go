package opstest

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestPoolOfAProxyIsSpread: the kernel gave all connections of a proxy's pool to
// one of two event loops. When that has too much to do, the other gets some.
func TestPoolOfAProxyIsSpread(t *testing.T) {
	const pool = 16
	admin, dir := filepath.Join(shortDir(t), "admin"), t.TempDir()
	write(t, filepath.Join(dir, "spate.toml"), fmt.Sprintf(
		"socket_workers = 2\n[network]\nuse_ipv6 = false\naddress_ipv4 = \"127.0.0.1:0\"\n[admin]\naddress = \"unix:%s\"\n", admin))
	tr := startTracker(t, dir, "spate.toml")
	held := func(loop int) int {
		return counterOf(t, getUnix(t, admin, "/metrics"), fmt.Sprintf("spate_loop_connections{loop=\"%d\"}", loop))
	}
	// A loop says how many connections it holds at its next wake-up: the second
	// request shows whose a connection is. The loop that has enough first is ours;
	// what the other one has is never heard of again.
	var of [2][]line
	ours := 0
	for len(of[ours]) < pool {
		before := held(0)
		l := line{Conn: dialPort(t, tr.port4)}
		for range 2 {
			if _, err := l.ask("/announce"); err != nil {
				t.Fatal(err)
			}
		}
		ours = 1
		if held(0) > before {
			ours = 0
		}
		of[ours] = append(of[ours], l)
	}
	other := 1 - ours
	second := held(other)
	var all sync.WaitGroup
	for _, l := range of[ours] {
		all.Go(func() { l.insist() })
	}
	eventually(t, "connections that change loops", func() bool { return held(other) >= second+pool/8 })
	eventually(t, "two busy loops", func() bool {
		return valueOf(t, getUnix(t, admin, "/metrics"), fmt.Sprintf("spate_loop_busy_ratio{loop=\"%d\"}", other)) > 0.7
	})
	t.Logf("the loops hold %d and %d", held(ours), held(other)-second)
	for _, l := range of[ours] {
		_ = l.Close()
	}
	all.Wait()
}

// insist asks for hundreds of things at a time, and again when it has them, until
// its connection ends. The tracker has more to do for that than we have.
func (l *line) insist() {
	const requests = 250
	batch := strings.Repeat("GET "+announcePath(6001)+" HTTP/1.1\r\nHost: localhost\r\n\r\n", requests)
	// All replies are of one size, that of the first.
	if _, err := io.WriteString(l.Conn, batch[:len(batch)/requests]); err != nil {
		return
	}
	size, err := l.Read(make([]byte, 4<<10))
	for err == nil {
		if _, err = io.WriteString(l.Conn, batch); err == nil {
			_, err = io.CopyN(io.Discard, l.Conn, int64(size*requests))
		}
	}
}
