package access

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"spate/internal/files"
)

// TestLoadFileWithoutPermission works as root too: the thread that opens the
// file gives up root's way with files, and ends with its goroutine.
func TestLoadFileWithoutPermission(t *testing.T) {
	l := New(ModeDeny)
	path := write(t, hexA)
	if _, err := l.LoadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if os.Getuid() == 0 {
			if err := syscall.Setfsuid(nobody); err != nil {
				done <- err
				return
			}
		}
		_, err := l.LoadFile(path)
		done <- err
	}()
	if err := <-done; !errors.Is(err, fs.ErrPermission) {
		t.Errorf("the error is %v, want %v", err, fs.ErrPermission)
	}
	if l.Len() != 1 || l.Allows(hash(t, hexA)) {
		t.Errorf("the old list is gone: %d hashes", l.Len())
	}
}

// TestLoadFileDoesNotWaitForAFIFO: opening one would block until somebody
// writes to it.
func TestLoadFileDoesNotWaitForAFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(ModeAllow).LoadFile(path); !errors.Is(err, files.ErrNotRegular) {
		t.Errorf("the error is %v, want %v", err, files.ErrNotRegular)
	}
}
