package load

import (
	"io"
	"time"

	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

// handle takes an event of slot i.
func (l *epollLoop) handle(i int, events uint32) {
	s := &l.slots[i]
	if s.fd < 0 {
		return // closed by an event before this one
	}
	if events&unix.EPOLLERR != 0 {
		code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			l.broken(s, i, unix.Errno(code))
			return
		}
	}
	if events&unix.EPOLLOUT != 0 && len(s.unsent) > 0 {
		l.flush(s, i)
	}
	switch {
	case events&(unix.EPOLLIN|unix.EPOLLHUP) == 0 || s.fd < 0:
	case s.slow:
		l.readLater(s, i)
	default:
		l.receive(s, i, events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0)
	}
}

// flush sends what the socket takes.
func (l *epollLoop) flush(s *slot, i int) {
	n, err := loop.Send(s.fd, s.unsent, false)
	if err == 0 && s.opening {
		s.opening = false
		l.w.opened(nil)
	}
	switch {
	case err == 0 && n == len(s.unsent):
		l.w.sent(len(s.flight.head))
		s.unsent = nil
	case err == 0:
		s.unsent = s.unsent[n:]
	case err == unix.EAGAIN:
	case err == unix.ECONNREFUSED || err == unix.ETIMEDOUT:
		l.broken(s, i, err)
	default:
		// What the tracker has answered before it hung up is still to be read; the
		// event that says so comes.
		s.unsent = nil
	}
}

// receive reads what has come. Events are edge-triggered: it reads until there
// is nothing more. Where the tracker's end came together with bytes, which ended
// says, no other event will tell of it: it reads up to that end.
func (l *epollLoop) receive(s *slot, i int, ended bool) {
	for s.fd >= 0 {
		n := l.read(s, i, l.scratch)
		if n < 0 || n < len(l.scratch) && !ended {
			return
		}
	}
}

// read reads once, and handles what it got. It returns how many bytes, or -1
// where there is nothing now, or nothing any more.
func (l *epollLoop) read(s *slot, i int, space []byte) int {
	n, err := loop.Recv(s.fd, space)
	if err == unix.EAGAIN {
		return -1
	}
	if err != 0 {
		l.broken(s, i, err)
		return -1
	}
	l.w.received(n)
	l.take(s, i, space[:n], n == 0)
	if n == 0 {
		return -1
	}
	return n
}

// readLater lets a slow reader read on in a while.
func (l *epollLoop) readLater(s *slot, i int) {
	if !s.later {
		s.later = true
		l.slow = append(l.slow, i)
	}
}

// readSlow lets the slow readers whose time has come read a little, and returns
// how long none of them will read.
func (l *epollLoop) readSlow(now time.Time) time.Duration {
	wait := slowEvery
	kept := l.slow[:0]
	for _, i := range l.slow {
		s := &l.slots[i]
		rest := s.nextRead.Sub(now)
		if rest <= 0 && s.fd >= 0 {
			s.nextRead, rest = now.Add(slowEvery), slowEvery
			if l.read(s, i, l.scratch[:slowRead]) < 0 {
				s.later = false // until there is more
				continue
			}
		}
		if s.fd < 0 {
			s.later = false
			continue
		}
		wait = min(wait, rest)
		kept = append(kept, i)
	}
	l.slow = kept
	return wait
}

// take handles bytes that have come, or the end of the connection.
func (l *epollLoop) take(s *slot, i int, b []byte, eof bool) {
	if !s.inFlight {
		if len(b) > 0 {
			l.w.notConnected(FaultBadReply, nil) // more than was asked for
		}
		l.close(s) // an idle connection that the tracker ended: it is opened again when needed
		return
	}
	if len(s.partial) > 0 {
		s.partial = append(s.partial, b...)
		b = s.partial
	}
	reply, done, wrong := splitReply(b, eof)
	switch {
	case wrong != "" || len(b) > maxReply:
		l.w.malformed(&s.flight, wrong, b)
		l.close(s)
		l.release(s, i)
	case done:
		l.w.answered(&l.v, &s.flight, time.Now(), reply.status, reply.body)
		s.partial = s.partial[:0]
		if eof || s.flight.close || !reply.keepAlive {
			l.close(s)
		}
		l.release(s, i)
	case eof:
		l.broken(s, i, io.ErrUnexpectedEOF)
	case len(s.partial) == 0:
		s.partial = append(s.partial, b...)
	}
}

// release makes a slot ready for its next request.
func (l *epollLoop) release(s *slot, i int) {
	s.inFlight = false
	l.ready = append(l.ready, i)
}

// broken ends a connection that failed, and the request on it.
func (l *epollLoop) broken(s *slot, i int, err error) {
	l.close(s)
	if !s.inFlight {
		return
	}
	l.w.failed(&s.flight, faultOf(err), err)
	if s.opening {
		// Tried again at the next tick, so that a tracker that is down is not met
		// by a busy loop.
		s.inFlight, s.refused = false, true
		return
	}
	l.release(s, i)
}

// expire gives up requests without an answer, and readies slots that could not
// connect.
func (l *epollLoop) expire(now time.Time) {
	for i := range l.slots[:l.opened] {
		s := &l.slots[i]
		switch {
		case s.inFlight && now.After(s.deadline):
			l.close(s)
			l.w.failed(&s.flight, FaultTimeout, nil)
			l.release(s, i)
		case s.refused:
			s.refused = false
			l.ready = append(l.ready, i)
		}
	}
}
