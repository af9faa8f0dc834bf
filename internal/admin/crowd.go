package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// acceptRetry is how long after a failed accept the next one is.
const acceptRetry = 100 * time.Millisecond

// A crowd is a listener with at most max connections open at a time. One more takes the
// place of another: the oldest of the source that has most of them. So strangers cannot
// hold all places, however they keep connections open, and nothing needs to tell who is
// one. Only answers to those who may ask for them are finished first.
type crowd struct {
	net.Listener
	max int
	log *slog.Logger

	mu     sync.Mutex    // guards what follows
	open   []*member     // from the longest open on
	closed bool          // by Close
	put    occasion      // connections out
	failed occasion      // to accept
	moved  chan struct{} // holds one when a member may have become dispensable
	ended  chan struct{} // closed by Close
}

// A member is a connection of a crowd.
type member struct {
	net.Conn
	crowd  *crowd
	source netip.Prefix // an IPv4 address, an IPv6 /64, or the zero value for a unix socket
	busy   atomic.Bool  // with an answer that is to be finished
}

func newCrowd(l net.Listener, n int, log *slog.Logger) *crowd {
	return &crowd{Listener: l, max: n, log: log, moved: make(chan struct{}, 1), ended: make(chan struct{})}
}

// Accept waits for a connection, and then for a place where all members are busy.
func (c *crowd) Accept() (net.Conn, error) {
	conn, err := c.accept()
	if err != nil {
		return nil, err
	}
	m := &member{Conn: conn, crowd: c, source: sourceOf(conn.RemoteAddr())}
	for {
		in, err := c.admit(m, time.Now())
		switch {
		case in:
			return m, nil
		case err != nil:
			_ = conn.Close() // nobody has it
			return nil, err
		}
		<-c.moved
	}
}

// accept waits for a connection. It returns an error only where the listener will never
// have one. Other errors pass, or are for the operator to mend (too few descriptors, a
// firewall that refuses), and no reason for the tracker to end.
func (c *crowd) accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) ||
			errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK) {
			return conn, err
		}
		c.mu.Lock()
		n, due := c.failed.note(time.Now())
		c.mu.Unlock()
		if due {
			c.log.Warn("the admin listener could not accept a connection, and tries again", "count", n, "err", err)
		}
		select {
		case <-time.After(acceptRetry):
		case <-c.ended:
		}
	}
}

// admit takes m in, in another's place if need be. The error is net.ErrClosed.
func (c *crowd) admit(m *member, now time.Time) (in bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, net.ErrClosed
	}
	if len(c.open) >= c.max {
		i := c.dispensable()
		if i < 0 {
			return false, nil
		}
		_ = c.open[i].Conn.Close() // its server sees that, and closes the member
		c.open = slices.Delete(c.open, i, i+1)
		if n, due := c.put.note(now); due {
			c.log.Warn("the admin listener is full: of whoever has most connections the oldest was closed for another", "connections", c.max, "count", n)
		}
	}
	c.open = append(c.open, m)
	return true, nil
}

// dispensable returns which member has to go, -1 where all are busy.
func (c *crowd) dispensable() int {
	of := make(map[netip.Prefix]int, len(c.open))
	for _, m := range c.open {
		of[m.source]++
	}
	found := -1
	for i, m := range c.open {
		if !m.busy.Load() && (found < 0 || of[m.source] > of[c.open[found].source]) {
			found = i
		}
	}
	return found
}

// Close ends Accept, also one that waits for a place.
func (c *crowd) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.ended)
	}
	c.mu.Unlock()
	c.look()
	return c.Listener.Close()
}

// look makes a waiting Accept try again.
func (c *crowd) look() {
	select {
	case c.moved <- struct{}{}:
	default:
	}
}

// Close gives the member's place up, if it still has it.
func (m *member) Close() error {
	c := m.crowd
	c.mu.Lock()
	if i := slices.Index(c.open, m); i >= 0 {
		c.open = slices.Delete(c.open, i, i+1)
	}
	c.mu.Unlock()
	c.look()
	return m.Conn.Close()
}

// sourceOf returns the source that a connection counts for.
func sourceOf(remote net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := at.Addr().Unmap().WithZone(""), 64
	if addr.Is4() {
		bits = 32
	}
	source, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return source
}

type memberKey struct{}

// withMember lets finish know the connection.
func withMember(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, memberKey{}, c)
}

// finish keeps the connection's place while next answers. It is for those who may
// ask, and not where next waits for a body.
func finish(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m, ok := r.Context().Value(memberKey{}).(*member); ok {
			m.busy.Store(true)
			defer func() {
				m.busy.Store(false)
				m.crowd.look()
			}()
		}
		next.ServeHTTP(w, r)
	})
}

// occasionEvery is how often what strangers can cause is logged at most.
const occasionEvery = time.Minute

// An occasion counts what is logged once in a while. Its owner guards it with a lock.
type occasion struct {
	count  int // since it was last logged
	logged time.Time
}

// note counts one more. It returns how many there were when they are due to be logged.
func (o *occasion) note(now time.Time) (count int, due bool) {
	o.count++
	if now.Sub(o.logged) < occasionEvery {
		return 0, false
	}
	count = o.count
	o.count, o.logged = 0, now
	return count, true
}
