package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWatchdogWhileStopping: systemd kills a service that is silent for too long,
// one that stops as well. Here the last snapshot takes as long as the test wants: it
// waits for the time.
func TestWatchdogWhileStopping(t *testing.T) {
	dir := t.TempDir()
	news, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer news.Close()
	t.Setenv("NOTIFY_SOCKET", news.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "30000")
	cfg := loopback()
	cfg.Snapshot.Path = filepath.Join(dir, "swarms")
	d, err := New(cfg, Build{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	clock := d.keeper.clock
	d.keeper.clock = func() time.Duration {
		<-release
		return clock()
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
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestManagerThatHangs: a service manager that takes no more news keeps the tracker
// neither from its start nor from its end.
func TestManagerThatHangs(t *testing.T) {
	news, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer news.Close()
	t.Setenv("NOTIFY_SOCKET", news.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "30000")
	other := dialSystemd()
	defer other.close()
	for err == nil { // until its queue is full
		if err = other.conn.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err == nil {
			_, err = other.conn.Write([]byte("STATUS=full"))
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}

	d, err := New(loopback(), Build{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	get(t, "http://"+d.Addrs()[0].String()+"/")
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}
