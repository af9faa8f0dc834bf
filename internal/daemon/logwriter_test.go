package daemon

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spate/internal/config"
)

// TestLogWithoutReader fills a pipe that nobody reads: no line waits for ever,
// and once somebody reads, the log says how many are missing.
func TestLogWithoutReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	cfg := config.Default()
	log := NewLog(&cfg, w)
	const all = 1000
	for range all {
		log.Info("short", "filler", strings.Repeat("y", 1000)) // returns, or the test hangs
	}
	kept := strings.Count(drain(t, r), "msg=short")
	if kept == 0 || kept == all {
		t.Errorf("%d lines of %d were written", kept, all)
	}
	// A line is more than a pipe holds: it begins, and its rest is lost.
	log.Info("long", "filler", strings.Repeat("z", 1<<20))
	got := drain(t, r)
	if want := fmt.Sprintf("level=INFO msg=\"lines of the log were lost: its reader did not take them\" lines=%d\n", all-kept); !strings.Contains(got, want) {
		t.Errorf("no %s in %.300s", want, got)
	}
	log.Info("last")
	got += drain(t, r)
	lines := strings.Split(strings.TrimSpace(got), "\n")
	for i, want := range []string{fmt.Sprint("lines=", all-kept), "msg=long", "lines=1", "msg=last"} {
		if len(lines) != 4 || !strings.Contains(lines[i], want) {
			t.Fatalf("%d lines, want %q in line %d of %.300s", len(lines), want, i+1, got)
		}
	}
}

// drain returns what a pipe holds.
func drain(t *testing.T, r *os.File) string {
	t.Helper()
	raw, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	buf := make([]byte, 1<<16)
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.Read(int(fd), buf)
			if err != nil || n <= 0 {
				return true // nothing more now
			}
			all = append(all, buf[:n]...)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}
