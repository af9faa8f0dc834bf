//go:build unix

package server

import (
	"time"

	"golang.org/x/sys/unix"
)

// How a wire ends, so that the peer reads all that was sent to it.

// flushLast sends what is held, as the last bytes before a close: the FIN then
// leaves in the same segment where the system can do that.
func (w *wire) flushLast() error {
	if w.held == nil || sendMore == 0 {
		return w.flush()
	}
	defer w.drop()
	if err := w.writeFor(w.timeout, slackOf(w.timeout)); err != nil {
		return err
	}
	rest := *w.held
	var failed error
	err := w.raw.Write(func(fd uintptr) bool {
		for len(rest) > 0 {
			n, err := unix.SendmsgN(int(fd), rest, nil, nil, sendMore)
			switch {
			case err == unix.EINTR:
			case err == unix.EAGAIN:
				return false
			case err != nil:
				failed = err
				return true
			default:
				rest = rest[n:]
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return err
}

// flushNow sends what is held as far as that needs no waiting, and forgets the
// rest.
func (w *wire) flushNow() {
	if w.held == nil {
		return
	}
	defer w.drop()
	_ = w.raw.Control(func(fd uintptr) {
		_, _ = unix.SendmsgN(int(fd), *w.held, nil, nil, sendMore) // a farewell that nobody may hear
	})
}

// unread reads and drops what has already come, up to lingerBytes, without
// waiting. It reports whether there was anything and whether the peer has
// finished sending.
func (w *wire) unread() (some, eof bool) {
	w.use(w.end - w.start)
	scratch := w.pool.getIn()
	defer w.pool.putIn(scratch)
	_ = w.raw.Control(func(fd uintptr) {
		for dropped := 0; dropped < lingerBytes; {
			n, err := unix.Read(int(fd), scratch[:])
			switch {
			case err == unix.EINTR:
				continue
			case err == unix.EAGAIN:
				return
			case err != nil || n == 0:
				eof = true
				return
			}
			some = true
			dropped += n
		}
	})
	return some, eof
}

// linger shuts down sending, then drops what the peer still sends, bounded in
// bytes and time. Closing at once would answer those bytes with a reset, which
// can destroy the reply before the peer has read it.
func (w *wire) linger() {
	half, ok := w.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	until := time.Now().Add(lingerTime)
	if w.Conn.SetReadDeadline(until) != nil {
		return
	}
	w.told = true // a stop waits for this: it is short
	scratch := w.pool.getIn()
	defer w.pool.putIn(scratch)
	for dropped := 0; dropped < lingerBytes; {
		n, err := w.Conn.Read(scratch[:])
		// A timeout before its time is the stop's, which ends every wait once.
		if err != nil && (!isTimeout(err) || !time.Now().Before(until) || w.Conn.SetReadDeadline(until) != nil) {
			return
		}
		dropped += n
	}
}
