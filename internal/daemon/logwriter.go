package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// logChunk is what a pipe takes at once when it says that it takes more:
	// PIPE_BUF (pipe(7)).
	logChunk = 4096
	// logPatience is what a line waits for a reader that has fallen behind.
	// Once one has waited in vain the next do not, until the reader goes on.
	logPatience = 50 * time.Millisecond
)

// A lossyWriter writes the log to a file whose reader may hang: a pipe, a terminal
// that was stopped. The tracker must not wait for that, its event loops and its stop
// least of all, so lines are then dropped and counted. Nothing is buffered, so that a
// crash loses no line that was written.
type lossyWriter struct {
	w io.Writer
	// ready reports whether logChunk bytes can be written without waiting, or
	// can after a wait of at most so long.
	ready func(wait time.Duration) bool
	// tell writes to w how many lines were lost. It is set once before the
	// first Write.
	tell func(lost int)

	lost int  // lines that were dropped since the last one that was not
	torn bool // the last of them had begun
}

// Write takes one line. The log calls it for one line at a time.
func (w *lossyWriter) Write(line []byte) (int, error) {
	wait := logPatience
	if w.lost > 0 {
		wait = 0
	}
	if !w.ready(wait) {
		w.lost++
		return len(line), nil
	}
	if w.torn {
		_, _ = w.w.Write([]byte("\n")) // the next write meets the same error
		w.torn = false
	}
	if lost := w.lost; lost > 0 {
		w.lost = 0
		w.tell(lost)
	}
	for rest := line; len(rest) > 0; {
		if len(rest) < len(line) && !w.ready(logPatience) {
			w.lost, w.torn = w.lost+1, true
			break
		}
		n, err := w.w.Write(rest[:min(len(rest), logChunk)])
		if err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(line), nil
}

// newLossyWriter returns a writer to f whose own lines have the form of the
// handlers that form makes.
func newLossyWriter(f *os.File, form func(io.Writer) slog.Handler) *lossyWriter {
	return &lossyWriter{w: f, ready: writable(f), tell: func(lost int) {
		var line bytes.Buffer
		r := slog.NewRecord(time.Now(), levelNotice, "lines of the log were lost: its reader did not take them", 0)
		r.AddAttrs(slog.Int("lines", lost))
		if form(&line).Handle(context.Background(), r) == nil {
			_, _ = f.Write(line.Bytes()) // the next write meets the same error
		}
	}}
}

// writable returns what tells whether a file takes logChunk bytes. A file that
// cannot be asked is written to.
func writable(f *os.File) func(wait time.Duration) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return func(time.Duration) bool { return true }
	}
	return func(wait time.Duration) bool {
		ready := true
		err := raw.Control(func(fd uintptr) {
			asked := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			n, err := unix.Poll(asked, int(wait.Milliseconds()))
			for errors.Is(err, unix.EINTR) {
				n, err = unix.Poll(asked, int(wait.Milliseconds()))
			}
			ready = err != nil || n > 0
		})
		return err != nil || ready
	}
}
