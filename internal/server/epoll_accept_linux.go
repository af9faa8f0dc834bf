package server

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

const (
	// acceptBatch bounds how many connections one wake-up accepts, so that
	// kept connections have their turn.
	acceptBatch = 64
	// listenerToken marks the tokens of listening sockets.
	listenerToken = loop.Token(1) << 63
	// acceptTries is how many failures in a row, each the peer's or the
	// network's, let accepting rest.
	acceptTries = 8
)

// An epollListener is a listening socket of one loop.
type epollListener struct {
	fd     int
	of     *Listener
	shared bool // with the other loops
}

// listen opens the loop's own sockets. The first loop takes those given.
func (l *epollLoop) listen(sockets []*socket) error {
	cfg := &l.d.s.rules.cfg
	for _, s := range sockets {
		e := epollListener{fd: s.fd, of: s.listener}
		switch {
		case !s.listener.ownsPort():
			e.shared = true
		case l.index > 0:
			mine, err := s.again(cfg.Backlog)
			if err != nil {
				return err
			}
			e.fd = mine.fd
		}
		if err := l.tune(&e); err != nil {
			if !e.shared && l.index > 0 {
				loop.Close(e.fd)
			}
			return fmt.Errorf("listener %s: %w", s.listener, err)
		}
		l.listeners = append(l.listeners, e)
	}
	return nil
}

// tune sets the options of a listening socket and registers it.
func (l *epollLoop) tune(e *epollListener) error {
	if loop.IsTCP(e.fd) {
		o := loop.Options{SlowACK: true}
		if e.of.Proxy != ProxyProtocol {
			o.Defer = l.d.s.rules.cfg.HeadTimeout
		}
		if err := loop.Tune(e.fd, o); err != nil {
			return err
		}
	}
	return l.poller.Add(e.fd, e.interest(), listenerToken|loop.Token(len(l.listeners)))
}

func (e *epollListener) interest() loop.Interest {
	if e.shared {
		return loop.Readable | loop.Exclusive
	}
	return loop.Readable
}

// accept takes connections off one queue and serves them. A loop that slept
// was most likely woken by a single one: it does not pay a second accept to be
// told so, since the poller tells of any more at the next wake-up.
func (l *epollLoop) accept(e *epollListener) error {
	batch := acceptBatch
	if l.rested {
		batch = 1
	}
	for range batch {
		if l.pausedUntil != 0 || l.abandoned() {
			return nil
		}
		fd, errno := loop.Accept(e.fd, &l.source)
		switch {
		case errno == 0:
			l.acceptFailed = 0
			l.fresh(fd, e)
		case errno == unix.EAGAIN:
			return nil
		case isShortage(errno):
			return l.pause(e, errno)
		case isFatalAccept(errno):
			return fmt.Errorf("listener %s: %w", e.of, os.NewSyscallError("accept4", errno))
		case errno == unix.EINTR:
		default:
			// The peer's or the network's, not ours: accept(2) says to go on.
			// The pause is for a security module that refuses for good.
			l.count.acceptErrors.Add(1)
			if l.acceptFailed++; l.acceptFailed >= acceptTries {
				l.acceptFailed = 0
				return l.rest(acceptRetry)
			}
		}
	}
	return nil
}

// fresh serves a new connection. One that asks once and closes is answered
// here and never registered: accept, receive, send, close.
func (l *epollLoop) fresh(fd int, e *epollListener) {
	rules := l.d.s.rules
	source := l.source.Addr().Unmap()
	l.count.accepted[family(source)].Add(1)
	if rules.limits.admit(l.now, source, l.room) != refusalNone {
		loop.Close(fd)
		l.count.ended[endLimit].Add(1)
		return
	}
	c := carried{fd: fd, id: noID}
	var ok bool
	if c.peer, ok = rules.open(e.of, source); !ok {
		l.end(&c, endProxyHeader)
		return
	}
	c.proxied = c.peer.pending
	n, errno := loop.Recv(fd, l.in)
	switch {
	case n > 0:
		l.serve(&c, l.in[:n], n == len(l.in))
	case errno == unix.EAGAIN:
		l.await(&c, nil)
	default:
		l.end(&c, failedReceive(errno, false))
	}
}

// pause stops accepting for lack of descriptors or memory: until something of
// ours is freed, or for a while.
func (l *epollLoop) pause(e *epollListener, errno unix.Errno) error {
	l.count.acceptPauses.Add(1)
	if l.saidShortage == 0 || l.now-l.saidShortage >= acceptLogEvery {
		l.saidShortage = l.now
		l.d.s.log.Warn("new connections wait: the system refuses more; raise the limit of open files (ulimit -n, LimitNOFILE=)",
			"listener", e.of.String(), "err", errno)
	}
	return l.rest(acceptPause)
}

// rest stops accepting for a while. That begins now: the time of this wake-up may be
// longer ago than the pause is long.
func (l *epollLoop) rest(d time.Duration) error {
	l.pausedUntil = l.d.s.rules.cfg.Clock() + d
	if l.unwatched {
		return nil // the stop has cut a pause short, and its last accept failed as well
	}
	l.unwatched = true
	for i := range l.listeners {
		if err := l.poller.Remove(l.listeners[i].fd); err != nil {
			return err
		}
	}
	return nil
}

// resume accepts again after a pause.
func (l *epollLoop) resume() error {
	l.pausedUntil, l.unwatched = 0, false
	for i := range l.listeners {
		e := &l.listeners[i]
		if err := l.poller.Add(e.fd, e.interest(), listenerToken|loop.Token(i)); err != nil {
			return err
		}
	}
	return nil
}

// freed lets a paused loop try again at once, for one of its descriptors has
// become free.
func (l *epollLoop) freed() {
	if l.pausedUntil != 0 {
		l.pausedUntil = min(l.pausedUntil, l.now)
	}
}

// deafen ends accepting and closes the loop's own listening sockets.
func (l *epollLoop) deafen() {
	if l.deaf {
		return
	}
	l.deaf = true
	for i := range l.listeners {
		if e := &l.listeners[i]; e.shared || l.index == 0 {
			_ = l.poller.Remove(e.fd) // the driver's to close
		} else {
			loop.Close(e.fd)
		}
	}
	l.listeners = nil
	l.d.closeSockets()
}

// acceptRest takes what is queued before the queue is closed, at most as many as a
// queue may hold: nothing keeps further ones away from a unix socket or from one that
// was passed, and crowds that come anew would hold up the stop until its end.
func (l *epollLoop) acceptRest() error {
	l.pausedUntil = 0
	most := uint64(l.d.s.rules.cfg.Backlog) + 1
	for i := range l.listeners {
		e := &l.listeners[i]
		for first := l.taken(); l.taken()-first < most; {
			before := l.taken()
			if err := l.accept(e); err != nil {
				return err
			}
			if l.taken() == before || l.pausedUntil != 0 {
				break
			}
		}
	}
	return nil
}

// taken returns how many connections this loop has taken off its queues, those
// included that had failed before they were accepted.
func (l *epollLoop) taken() uint64 {
	return l.count.accepted[0].Load() + l.count.accepted[1].Load() + l.count.acceptErrors.Load()
}
