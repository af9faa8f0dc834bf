//go:build unix

package server

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// slack is how much earlier than configured a deadline may pass, at most an
// eighth of it.
const slack = time.Second

func slackOf(timeout time.Duration) time.Duration { return min(slack, timeout/8) }

// A conn is one connection of the goroutine driver.
type conn struct {
	wire
	d    *goroutineDriver
	l    *Listener
	tls  *tls.Conn // nil while the connection is plain
	peer peer
	// source is the address that the connection comes from, which limits go
	// by.
	source netip.Addr
	// deadline is when the wait for the first request, or for another one, is
	// given up.
	deadline time.Time

	// plain[:n] are decrypted bytes that are not yet used. It is nil when n
	// is 0. Connections without TLS use wire.buffered.
	plain *[inputSize]byte
	n     int

	outlasted bool // its handshake had to give way; handshakes guards it
}

// parkAfter is how long a kept connection waits before it is parked, at most an
// eighth of the idle timeout.
const parkAfter = 2 * time.Second

// maxWaiting is how many connections may wait for a request in goroutines of
// their own, which after a handshake have stacks of 16 KiB, before they are
// parked after crowdedAfter already.
const maxWaiting = 1024

const crowdedAfter = parkAfter / 16

// serve carries the connection from its accept on.
func (c *conn) serve() {
	if end, ok := c.begin(); !ok {
		c.finish(end)
		return
	}
	c.loop()
}

// finish closes the connection.
func (c *conn) finish(end ending) {
	c.d.forget(c)
	if c.plain != nil {
		c.pool.putIn(c.plain)
		c.plain = nil
	}
	if c.tls != nil && (end == endIdle || end == endShutdown || end == endLimit) {
		// Without its alert, a close of ours looks like an attack to the peer.
		_ = c.tls.CloseWrite()
		c.flushNow()
	}
	c.release()
	_ = c.Conn.Close()
	c.d.s.rules.limits.release(c.source)
	c.d.count.ended[end].Add(1)
	c.d.freed()
}

// begin does what comes before the first request. It is false when the
// connection ends with that.
func (c *conn) begin() (ending, bool) {
	cfg := &c.d.s.rules.cfg
	start := time.Now()
	c.first, c.deadline = true, start.Add(cfg.HeadTimeout)
	if c.readUntil(c.deadline, 0) != nil {
		return endError, false
	}
	var ok bool
	if c.peer, ok = c.d.s.rules.open(c.l, c.source); !ok {
		return endProxyHeader, false
	}
	if c.l.TLS {
		return c.secure()
	}
	return 0, true
}

// loop answers requests until the connection ends or is parked.
func (c *conn) loop() {
	for {
		if err := c.more(); err != nil {
			if c.parks(err) {
				c.park()
				return
			}
			c.finish(c.failed(err))
			return
		}
		if end, ended := c.exchange(); ended {
			c.finish(end)
			return
		}
	}
}

// parks reports whether a wait has ended only for the connection to be parked.
func (c *conn) parks(err error) bool {
	return isTimeout(err) && !c.busy && !c.told && len(c.pending()) == 0 && time.Now().Before(c.deadline)
}

// park lets the connection wait without the goroutine that has served it:
// handshakes and handlers have grown its stack, and the runtime does not shrink
// that below 4 KiB.
func (c *conn) park() {
	if c.d.lot.park(c) {
		return
	}
	// A goroutine that does nothing but this wait fits into the 2 KiB that it
	// starts with.
	go func() {
		if c.readUntil(c.deadline, 0) != nil {
			c.finish(endError)
			return
		}
		if err := c.fill(); err != nil {
			c.finish(c.failed(err))
			return
		}
		c.carryOn()
	}()
}

// resume goes on with a connection that was in the lot, in a new goroutine:
// there is something to read.
func (c *conn) resume() {
	if c.readUntil(c.deadline, 0) != nil {
		c.finish(endError)
		return
	}
	c.loop()
}

// expired ends a connection that was in the lot at its deadline.
func (c *conn) expired() { c.finish(c.failed(os.ErrDeadlineExceeded)) }

// evicted goes on with a connection that was in the lot when the server stops:
// it ends, unless a request has come in the meantime or the first one is still
// to come. It does not wait.
func (c *conn) evicted() {
	if c.tell() != nil {
		c.finish(endError)
		return
	}
	got, err := c.receiveNow()
	switch {
	case err != nil:
		c.finish(c.failed(err))
	case got:
		go c.carryOn()
	case c.first:
		go c.loop()
	default:
		c.finish(endShutdown)
	}
}

// giveWay ends a connection that was in the lot, to make room for another one, unless a
// request has come in the meantime, and reports whether it has ended. It does not wait.
func (c *conn) giveWay() bool {
	got, err := c.receiveNow()
	switch {
	case err != nil:
		c.finish(c.failed(err))
	case !got:
		c.finish(endLimit)
	case c.readUntil(c.deadline, 0) != nil:
		c.finish(endError)
	default:
		go c.carryOn()
		return false
	}
	return true
}

// carryOn answers what has ended a parked wait, and goes on. For crypto/tls
// the bytes wait in the wire.
func (c *conn) carryOn() {
	if c.tls == nil {
		if end, ended := c.exchange(); ended {
			c.finish(end)
			return
		}
	}
	c.loop()
}

// wait is fill for a connection that may be waiting for a request: where many
// do, it gives up early, and parks takes over.
func (c *conn) wait() error {
	if c.busy || c.told || len(c.pending()) > 0 {
		return c.fill()
	}
	waiting := &c.d.waiting
	defer waiting.Add(-1)
	if waiting.Add(1) > maxWaiting {
		soon := time.Now().Add(crowdedAfter)
		if soon.Before(c.deadline) && c.readUntil(soon, slackOf(crowdedAfter)) != nil {
			return net.ErrClosed
		}
	}
	return c.fill()
}

// more waits for at least one more byte of requests.
func (c *conn) more() error {
	if c.tls == nil {
		return c.wait()
	}
	for {
		if c.plain == nil {
			c.plain, c.n = c.pool.getIn(), 0
		}
		n, err := c.tls.Read(c.plain[c.n:])
		if c.n += n; n > 0 {
			return nil
		}
		if c.n == 0 {
			c.pool.putIn(c.plain)
			c.plain = nil
		}
		if err == nil {
			continue
		}
		if _, blocked := err.(wouldBlock); !blocked {
			return err
		}
		if err := c.wait(); err != nil {
			return err
		}
	}
}

// pending returns the bytes of requests that are not yet used.
func (c *conn) pending() []byte {
	switch {
	case c.tls == nil:
		return c.buffered()
	case c.plain == nil:
		return nil
	}
	return c.plain[:c.n]
}

// used takes n bytes of pending as used.
func (c *conn) used(n int) {
	if c.tls == nil {
		c.use(n)
		return
	}
	if c.n = copy(c.plain[:], c.plain[n:c.n]); c.n == 0 {
		c.pool.putIn(c.plain)
		c.plain = nil
	}
}

// exchange answers what is complete in pending, and says whether that was the
// end of the connection.
func (c *conn) exchange() (end ending, ended bool) {
	cfg := &c.d.s.rules.cfg
	out := c.pool.getOut()
	defer c.pool.putOut(out)
	for {
		answered := c.peer.requests
		next, ok := c.answer(out)
		if !ok {
			return endShutdown, true
		}
		if c.peer.requests != answered {
			c.busy = false // with that head; another one may have begun
		}
		last := next == actionClose || next == actionLinger
		if len(*out) > 0 {
			if err := c.send(*out, last); err != nil {
				return c.sendFailed(err), true
			}
		}
		switch next {
		case actionFlush:
			continue
		case actionKeep:
			now := time.Now()
			c.busy, c.first = false, false
			c.deadline = now.Add(cfg.IdleTimeout)
			wait := min(cfg.IdleTimeout/8, parkAfter)
			return endError, c.readUntil(now.Add(wait), slackOf(wait)) != nil
		case actionMore:
			return endError, c.expectRest() != nil
		case actionAbort:
			return endProxyHeader, true
		case actionLinger:
			c.linger()
			return endRefused, true
		}
		if some, eof := c.unread(); some && !eof {
			c.linger()
		}
		return endServed, true
	}
}

// answer lets an exchange serve what is pending, with its replies in out. It is not ok
// when the time for the stop was over before one was free.
func (c *conn) answer(out *[]byte) (next action, ok bool) {
	x := <-c.d.exchanges
	if c.d.abandoned.Load() {
		c.d.exchanges <- x
		return actionAbort, false
	}
	x.secure = c.tls != nil
	consumed, replies, next := x.serve(c.d.s.rules.cfg.Clock(), &c.peer, c.pending(), (*out)[:0])
	c.d.exchanges <- x
	*out = replies
	c.used(consumed)
	return next, true
}

// expectRest sets the deadline of a head that has begun. The one of the first
// head runs since the connection was accepted. After a PROXY protocol header none
// may have begun.
func (c *conn) expectRest() error {
	switch {
	case c.busy || len(c.pending()) == 0:
		return nil
	case c.peer.requests == 0:
		return c.begun()
	}
	c.busy = true
	return c.readUntil(time.Now().Add(c.d.s.rules.cfg.HeadTimeout), 0)
}

// begun notes that the first handshake or head has begun, which a stop waits for.
func (c *conn) begun() error {
	c.busy = true
	if !c.told {
		return nil
	}
	return c.readUntil(c.deadline, 0)
}

// failed says why a connection ends that could not be read from.
func (c *conn) failed(err error) ending {
	partial := c.busy || len(c.pending()) > 0
	switch {
	case errors.Is(err, errNoRoom):
		return endLimit
	case errors.Is(err, errDrained):
		return endShutdown
	case isTimeout(err) && c.told, errors.Is(err, net.ErrClosed):
		return endShutdown
	case isTimeout(err) && (partial || c.peer.requests == 0):
		return endHeadTimeout
	case isTimeout(err):
		return endIdle
	case !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, io.ErrUnexpectedEOF):
		return endError
	case partial:
		return endTruncated
	}
	return endClient
}

// source returns the address of a connection's other end, unmapped and without
// its zone, or the zero Addr for a unix socket.
func source(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
