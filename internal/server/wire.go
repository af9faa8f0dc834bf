//go:build unix

package server

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wouldBlock is what a wire returns to crypto/tls when it has no more bytes at
// hand. Being temporary, it leaves the TLS connection usable.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "no bytes at hand" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// errDrained ends a wait because the server stops and nothing is under way.
var errDrained = errors.New("the server stops")

// A wire is the socket under a connection. It waits for bytes without holding
// a buffer, and collects what is written until the next wait, so that a TLS
// flight, a reply and the alert that ends it leave in one segment. It is the
// net.Conn that crypto/tls sees.
type wire struct {
	net.Conn
	raw  syscall.RawConn
	pool *buffers

	// chunk[start:end] is what was received and not yet used. It is nil when
	// empty.
	chunk      *[inputSize]byte
	start, end int
	// onReadable is receive as a value, made once.
	onReadable func(fd uintptr) bool
	received   error // what the last receive met

	held *[]byte // written, but not sent
	// alert is the description of the last alert that crypto/tls sent in the
	// clear: the only way to learn from it why a handshake failed without
	// matching its error texts. 0 is none.
	alert uint8
	// patient lets Read wait for bytes, as the handshake needs it; otherwise
	// it returns wouldBlock.
	patient bool
	shaken  int // bytes that the handshake has read
	wide    int // bytes taken of the budget for crypto/tls's buffer

	until    time.Time     // the read deadline, as it was last set
	writable time.Time     // the write deadline, as it was last set
	timeout  time.Duration // for writing, from each flush on

	// leaving tells, when a wait ends early, whether the server leaves idle
	// connections; told is set once that was acted on. busy says that a head or a
	// handshake is under way, first that no request has come yet: who has just
	// connected has probably sent one. Both may go on until grace, which is sooner
	// where no byte has come.
	leaving *atomic.Bool
	told    bool
	busy    bool
	first   bool
	grace   func(silent bool) time.Time
}

// buffered returns the bytes received and not yet used.
func (w *wire) buffered() []byte {
	if w.chunk == nil {
		return nil
	}
	return w.chunk[w.start:w.end]
}

// use takes n buffered bytes as used.
func (w *wire) use(n int) {
	if w.start += n; w.start == w.end && w.chunk != nil {
		w.pool.putIn(w.chunk)
		w.chunk, w.start, w.end = nil, 0, 0
	}
}

// receive reads once without blocking. It returns false when there is nothing
// yet, and then holds no buffer that it did not hold before.
func (w *wire) receive(fd uintptr) bool {
	if w.chunk == nil {
		w.chunk, w.start, w.end = w.pool.getIn(), 0, 0
	} else if w.start > 0 {
		w.end = copy(w.chunk[:], w.chunk[w.start:w.end])
		w.start = 0
	}
	var n int
	for {
		if n, w.received = unix.Read(int(fd), w.chunk[w.end:]); w.received != unix.EINTR {
			break
		}
	}
	if n > 0 {
		w.end += n
		w.received = nil
		return true
	}
	if w.end == 0 {
		w.pool.putIn(w.chunk)
		w.chunk = nil
	}
	if w.received == unix.EAGAIN {
		return false
	}
	if w.received == nil {
		w.received = io.EOF
	}
	return true
}

// hasBytes leaves to the next receive what there is: bytes, or the end.
func hasBytes(fd uintptr) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// receiveNow reads what has come, without waiting, and says whether there was
// anything.
func (w *wire) receiveNow() (got bool, err error) {
	if err := w.raw.Control(func(fd uintptr) { got = w.receive(fd) }); err != nil {
		return false, err
	}
	if got && w.received != nil {
		return false, w.received
	}
	return got, nil
}

// fill waits until the read deadline for at least one more byte, after sending
// what is held. There must be room: fewer than inputSize bytes buffered. When
// the server leaves, it returns errDrained unless bytes have already come or
// something is under way.
func (w *wire) fill() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.await(w.onReadable)
}

// await is fill, with what is to be done once there are bytes.
func (w *wire) await(onReadable func(fd uintptr) bool) error {
	for {
		w.received = nil // it may be of a look that found nothing
		err := w.raw.Read(onReadable)
		if err == nil {
			return w.received
		}
		if !w.leaving.Load() || !isTimeout(err) {
			return err
		}
		if w.told {
			// The stop ends every wait once, also one that has begun during the
			// stop and goes on until the grace.
			if !time.Now().Before(w.until) {
				return err
			}
			if err := w.Conn.SetReadDeadline(w.until); err != nil {
				return err
			}
			continue
		}
		if err := w.tell(); err != nil {
			return err
		}
		if got, err := w.receiveNow(); got || err != nil {
			return err
		}
		if !w.busy && !w.first {
			return errDrained
		}
	}
}

// tell notes that the server leaves: nothing is waited for beyond grace now.
func (w *wire) tell() error {
	w.told = true
	w.until = w.grace(!w.busy)
	return w.Conn.SetReadDeadline(w.until)
}

// readUntil sets the read deadline. One that is at most slack too early may
// stay, which spares nearly all timer changes of a busy kept connection.
func (w *wire) readUntil(t time.Time, slack time.Duration) error {
	if d := t.Sub(w.until); d >= 0 && d <= slack {
		return nil
	}
	if w.told {
		if g := w.grace(!w.busy); g.Before(t) {
			t = g
		}
	}
	w.until = t
	if err := w.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	// Whoever stops the server sets leaving, then ends all waits by a read
	// deadline in the past, which ours may just have overwritten.
	if !w.told && w.leaving.Load() {
		return w.Conn.SetReadDeadline(past)
	}
	return nil
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// writeFor sets the write deadline to some time from now, with a slack like
// readUntil.
func (w *wire) writeFor(timeout, slack time.Duration) error {
	t := time.Now().Add(timeout)
	if d := t.Sub(w.writable); d >= 0 && d <= slack {
		return nil
	}
	w.writable = t
	return w.Conn.SetWriteDeadline(t)
}

// Read is for crypto/tls.
func (w *wire) Read(b []byte) (int, error) {
	if err := w.widen(len(b)); err != nil {
		return 0, err
	}
	if w.chunk == nil {
		if !w.patient {
			return 0, wouldBlock{}
		}
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, w.buffered())
	w.use(n)
	if w.patient {
		// crypto/tls collects a hello of up to 64 KiB, from anybody.
		if w.shaken += n; w.shaken > maxHandshake {
			return 0, errLongHandshake
		}
	}
	return n, nil
}

// Write is for crypto/tls. It holds the bytes back until flush, fill or end,
// or until they are many.
func (w *wire) Write(b []byte) (int, error) {
	// An alert in the clear is a whole record: type 21, version, length 2,
	// level, description (RFC 8446, sections 5.1 and 6).
	if len(b) == 7 && b[0] == 21 && b[4] == 2 {
		w.alert = b[6]
	}
	if w.held == nil {
		w.held = w.pool.getOut()
	}
	*w.held = append(*w.held, b...)
	if len(*w.held) >= outputLimit {
		return len(b), w.flush()
	}
	return len(b), nil
}

// widen charges crypto/tls's read buffer to the budget. Its size is judged by the room
// for n more bytes that it has: crypto/tls makes it as large as the record that its
// peer has announced, and keeps it for as long as the connection lives.
func (w *wire) widen(n int) error {
	if n <= uncounted/2 || 2*n <= w.wide {
		return nil
	}
	if !w.pool.budget.Take(2*n - w.wide) {
		return errNoRoom
	}
	w.wide = 2 * n
	return nil
}

// SetDeadline, SetReadDeadline and SetWriteDeadline do nothing: deadlines are
// not crypto/tls's business here, which would change them around its
// closing alert.
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// flush sends what is held.
func (w *wire) flush() error {
	if w.held == nil {
		return nil
	}
	defer w.drop()
	if err := w.writeFor(w.timeout, slackOf(w.timeout)); err != nil {
		return err
	}
	_, err := w.Conn.Write(*w.held)
	return err
}

// drop forgets what is held.
func (w *wire) drop() {
	if w.held != nil {
		w.pool.putOut(w.held)
		w.held = nil
	}
}

// release gives all buffers back.
func (w *wire) release() {
	w.use(w.end - w.start)
	w.drop()
	w.pool.budget.Give(w.wide)
	w.wide = 0
}

// isTimeout tells a passed deadline from other errors.
func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
