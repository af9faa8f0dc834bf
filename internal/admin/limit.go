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

// A limitListener is a listener with at most max connections open at a time. One more takes the
// place of another: the oldest of the source that has most of them. So strangers cannot
// hold all places, however they keep connections open, and nothing needs to tell who is
// one. Only answers to those who may ask for them are finished first.
type limitListener struct {
	net.Listener
	max int
	log *slog.Logger

	mu      sync.Mutex     // guards what follows
	open    []*limitedConn // from the longest open on
	closed  bool           // by Close
	evicted occasion       // connections
	failed  occasion       // to accept
	changed chan struct{}  // holds one when there may be a place, or a victim
	ended   chan struct{}  // closed by Close
}

// A limitedConn is a connection that has a place.
type limitedConn struct {
	net.Conn
	limiter *limitListener
	source  netip.Prefix // an IPv4 address, an IPv6 /64, or the zero value for a unix socket
	busy    atomic.Bool  // with an answer that is to be finished
}

func newLimitListener(l net.Listener, n int, log *slog.Logger) *limitListener {
	return &limitListener{Listener: l, max: n, log: log, changed: make(chan struct{}, 1), ended: make(chan struct{})}
}

// Accept waits for a connection, and then for a place where all connections are busy.
func (l *limitListener) Accept() (net.Conn, error) {
	conn, err := l.accept()
	if err != nil {
		return nil, err
	}
	c := &limitedConn{Conn: conn, limiter: l, source: sourceOf(conn.RemoteAddr())}
	for {
		in, err := l.admit(c, time.Now())
		switch {
		case in:
			return c, nil
		case err != nil:
			_ = conn.Close() // nobody has it
			return nil, err
		}
		<-l.changed
	}
}

// accept waits for a connection. It returns an error only where the listener will never
// have one. Other errors pass, or are for the operator to mend (too few descriptors, a
// firewall that refuses), and no reason for the tracker to end.
func (l *limitListener) accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) ||
			errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSOCK) {
			return conn, err
		}
		l.mu.Lock()
		n, due := l.failed.note(time.Now())
		l.mu.Unlock()
		if due {
			l.log.Warn("the admin listener could not accept a connection, and tries again", "count", n, "err", err)
		}
		select {
		case <-time.After(acceptRetry):
		case <-l.ended:
		}
	}
}

// admit takes c in, in another's place if need be. The error is net.ErrClosed.
func (l *limitListener) admit(c *limitedConn, now time.Time) (in bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false, net.ErrClosed
	}
	if len(l.open) >= l.max {
		i := l.victim()
		if i < 0 {
			return false, nil
		}
		_ = l.open[i].Conn.Close() // whoever serves it sees that, and closes it
		l.open = slices.Delete(l.open, i, i+1)
		if n, due := l.evicted.note(now); due {
			l.log.Warn("the admin listener is full: the oldest connection of the source with most of them was closed for another", "connections", l.max, "count", n)
		}
	}
	l.open = append(l.open, c)
	return true, nil
}

// victim returns which connection has to go, -1 where all are busy.
func (l *limitListener) victim() int {
	of := make(map[netip.Prefix]int, len(l.open))
	for _, c := range l.open {
		of[c.source]++
	}
	found := -1
	for i, c := range l.open {
		if !c.busy.Load() && (found < 0 || of[c.source] > of[l.open[found].source]) {
			found = i
		}
	}
	return found
}

// Close ends Accept, also one that waits for a place.
func (l *limitListener) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.ended)
	}
	l.mu.Unlock()
	l.retry()
	return l.Listener.Close()
}

// retry makes a waiting Accept try again.
func (l *limitListener) retry() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Close gives the connection's place up, if it still has one.
func (c *limitedConn) Close() error {
	l := c.limiter
	l.mu.Lock()
	if i := slices.Index(l.open, c); i >= 0 {
		l.open = slices.Delete(l.open, i, i+1)
	}
	l.mu.Unlock()
	l.retry()
	return c.Conn.Close()
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

type connKey struct{}

// withConn lets finish know the connection.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// finish keeps the connection's place while next answers. It is for those who may
// ask, and not where next waits for a body.
func finish(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*limitedConn); ok {
			c.busy.Store(true)
			defer func() {
				c.busy.Store(false)
				c.limiter.retry()
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
