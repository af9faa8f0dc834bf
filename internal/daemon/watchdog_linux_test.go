package daemon

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWatchdogWhileStopping: systemd kills a service that is silent for too long,
// one that stops as well. Here the last snapshot takes as long as the test wants: a
// named pipe without a reader stands in its place.
func TestWatchdogWhileStopping(t *testing.T) {
	dir := t.TempDir()
	news, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer news.Close()
	t.Setenv("NOTIFY_SOCKET", news.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "30000")
	pipe := filepath.Join(dir, "swarms"+unfinished)
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := loopback()
	cfg.Snapshot.Path = filepath.Join(dir, "swarms")
	d, err := New(cfg, Build{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()

	await := func(want string) {
		t.Helper()
		if err := news.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for state := make([]byte, 4096); ; {
			n, err := news.Read(state)
			if err != nil {
				t.Fatalf("no %s: %v", want, err)
			}
			if strings.HasPrefix(string(state[:n]), want) {
				return
			}
		}
	}
	await("READY=1")
	stop()
	await("STOPPING=1")
	for range 50 { // the server has long ended by then
		await("WATCHDOG=1")
	}
	reader, err := os.Open(pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "was not written") {
		t.Errorf("a pipe cannot be synced, and it ends with %v", err)
	}
}
