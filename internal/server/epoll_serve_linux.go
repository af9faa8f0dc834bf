package server

import (
	"time"

	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

// serve answers what was received on the connection in hand. In must not be
// l.out. Full says that the kernel may hold more.
func (l *epollLoop) serve(c *carried, in []byte, full bool) {
	for {
		consumed, out, next := l.exchange.serve(l.now, &c.peer, in, l.out[:0])
		if cap(out) <= maxScratch {
			l.out = out[:0]
		}
		in = in[consumed:]
		if !l.deliver(c, in, out, next, full) {
			return
		}
	}
}

// deliver sends the replies in out and does what comes after them. In is what was
// received and not used up. It reports whether that is to be served now.
func (l *epollLoop) deliver(c *carried, in, out []byte, next action, full bool) bool {
	if len(out) > 0 {
		n, errno := loop.Send(c.fd, out, next == actionClose || next == actionLinger)
		if errno != 0 && errno != unix.EAGAIN {
			l.end(c, endWriteFailed)
			return false
		}
		if n < len(out) {
			l.write(c, in, out, n, next)
			return false
		}
	}
	if next == actionFlush {
		return true
	}
	l.settle(c, in, next, full)
	return false
}

// settle does what comes after the replies. In is what was received and not
// used up.
func (l *epollLoop) settle(c *carried, in []byte, next action, full bool) {
	switch next {
	case actionKeep:
		l.idle(c)
	case actionMore:
		// A peer whose request comes in pieces, or behind a PROXY protocol header
		// of its own, may wait for the acknowledgement of one before it sends the
		// next.
		loop.QuickACK(c.fd)
		l.await(c, in)
	case actionAbort:
		l.end(c, endProxyHeader)
	case actionLinger:
		l.linger(c, 0)
	default:
		l.finish(c, full)
	}
}

// finish closes after the last reply. Bytes that arrive between the receive and
// the close would let it reset the connection, with the held-back reply still
// unsent. A peer whose request came in pieces may well send some more, so every
// registered connection lingers instead. One that asked in one piece and is
// answered at once has a few microseconds for that: it is not made to pay.
func (l *epollLoop) finish(c *carried, full bool) {
	if c.id == noID && full {
		n, _ := loop.Recv(c.fd, l.in)
		full = n > 0
	}
	if c.id != noID || full {
		l.linger(c, flagServed)
		return
	}
	l.end(c, endServed)
}

// idle waits for the next request.
func (l *epollLoop) idle(c *carried) {
	if l.giveAway > 0 && c.id != noID {
		l.hand(c)
		return
	}
	if l.put(c, stateIdle) == nil {
		return
	}
	l.release(c.id)
	l.wheel.Set(c.id, l.now+l.d.s.rules.cfg.IdleTimeout)
}

// await waits for the rest of a head. Its deadline runs since its first byte,
// the first head's since the accept.
func (l *epollLoop) await(c *carried, in []byte) {
	// The head that was waited for may have been answered, and in begin another one.
	waits := false
	if c.id != noID {
		r := l.records.At(c.id)
		waits = r.state == stateHead && r.requests == c.peer.requests
	}
	if l.put(c, stateHead) == nil {
		return
	}
	if len(in) == 0 {
		l.release(c.id)
	} else if !l.replace(&l.own(c.id).in, in) {
		l.end(c, endLimit)
		return
	}
	if waits {
		return
	}
	if len(in) > 0 {
		l.wheel.Set(c.id, l.now+l.d.s.rules.cfg.HeadTimeout)
		return
	}
	l.wheel.Set(c.id, l.now+l.headTimeout())
}

// headTimeout is how long a connection that has sent nothing yet may be silent.
func (l *epollLoop) headTimeout() time.Duration {
	d := l.d.s.rules.cfg.HeadTimeout
	if l.phase != phaseServing {
		d = min(d, drainLimit)
	}
	return d
}

// write waits for room to send the rest of the replies, of which the first sent
// bytes are sent.
func (l *epollLoop) write(c *carried, in, out []byte, sent int, next action) {
	if l.put(c, stateWriting) == nil {
		return
	}
	h := l.own(c.id)
	ok := l.replace(&h.in, in)
	switch {
	case !ok:
	case cap(out) <= maxScratch:
		ok = l.replace(&h.out, out[sent:])
		h.sent = 0
	default: // a large reply is not copied, for it is not l.out
		l.buffers.Put(h.out)
		h.out = nil
		if ok = l.buffers.Adopt(out); ok {
			h.out, h.sent = out, sent
		}
	}
	if !ok {
		l.end(c, endLimit)
		return
	}
	h.next = next
	l.wheel.Set(c.id, l.now+l.d.s.rules.cfg.WriteTimeout)
}

// linger shuts down sending, then drops what the peer still sends, bounded in
// bytes and time. Closing at once would answer those bytes with a reset, which
// can destroy the reply before the peer has read it. Flag is flagServed after
// an answer.
func (l *epollLoop) linger(c *carried, flag uint8) {
	if loop.ShutdownWrite(c.fd) != 0 {
		l.end(c, (&record{flags: flag}).lingered())
		return
	}
	r := l.put(c, stateLingering)
	if r == nil {
		return
	}
	l.release(c.id)
	r.flags |= flag
	r.dropped = 0
	l.wheel.Set(c.id, l.now+lingerTime)
	l.drop(c.id)
}

// drop reads and drops what has come on a lingering connection.
func (l *epollLoop) drop(id uint32) {
	r := l.records.At(id)
	c := l.carry(id)
	for r.dropped < lingerBytes {
		n, errno := loop.Recv(c.fd, l.in)
		if errno == unix.EAGAIN {
			return
		}
		if errno != 0 || n == 0 {
			break
		}
		r.dropped += uint32(n)
	}
	l.end(&c, r.lingered())
}

// readable receives on a registered connection and serves what has come. Ended
// says that the peer sends no more: the end of the stream is then to be read
// as well.
func (l *epollLoop) readable(id uint32, ended bool) {
	r := l.records.At(id)
	generation := r.generation
	c := l.carry(id)
	l.see(r)
	begun := 0
	if r.held != 0 {
		begun = copy(l.in, l.held.At(r.held-1).in)
	}
	n, errno := loop.Recv(c.fd, l.in[begun:])
	full := begun+n == len(l.in)
	switch {
	case n > 0:
		l.serve(&c, l.in[:begun+n], full)
	case errno != unix.EAGAIN:
		l.end(&c, failedReceive(errno, begun > 0))
	}
	if full || ended {
		l.again(id, generation)
	}
}

// writable sends on.
func (l *epollLoop) writable(id uint32) {
	c := l.carry(id)
	h := l.held.At(l.records.At(id).held - 1)
	n, errno := loop.Send(c.fd, h.out[h.sent:], h.next == actionClose || h.next == actionLinger)
	if errno != 0 {
		if errno != unix.EAGAIN {
			l.end(&c, endWriteFailed)
		}
		return
	}
	if h.sent += n; h.sent < len(h.out) {
		return
	}
	next := h.next
	in := l.in[:copy(l.in, h.in)]
	if next == actionFlush {
		l.serve(&c, in, false)
		return
	}
	l.settle(&c, in, next, true)
}
