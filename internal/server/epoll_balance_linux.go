package server

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// balanceWindow is how long a loop observes itself before it compares.
	balanceWindow = 100 * time.Millisecond
	// A loop that was awake for saturated of a window, in 1/1000, gives connections
	// away. One that was awake for at most spare of it takes some.
	saturated = 900
	spare     = 700
)

// A balancer moves kept connections from a loop that is saturated to one that
// is not. The kernel spreads connections over the loops by a hash, which may
// give most of a proxy's few connections to one of them. Many connections
// that ask once need no balancer.
type balancer struct {
	windowStart time.Duration
	window      uint16        // counts windows
	slept       time.Duration // in this window
	active      int           // registered connections with a request in this window
	giveAway    int           // how many to hand over
	to          *epollLoop    // to whom
	uneven      int           // windows in a row: see steer
	processor   int           // whose new connections come here; -1 is none

	busy  atomic.Uint32 // share of the last window that the loop was awake, in 1/1000; read by anyone
	inbox inbox         // from other loops
}

// An inbox holds connections on their way from one loop to another. It is safe
// for concurrent use.
type inbox struct {
	some   atomic.Bool // whether given has any
	mu     sync.Mutex  // guards what follows
	closed bool
	given  []record
}

// put is false when the inbox is closed.
func (b *inbox) put(r record) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.given = append(b.given, r)
	b.some.Store(true)
	return true
}

// take empties the inbox.
func (b *inbox) take() []record {
	b.mu.Lock()
	defer b.mu.Unlock()
	given := b.given
	b.given = nil
	b.some.Store(false)
	return given
}

// close empties the inbox for good.
func (b *inbox) close() []record {
	given := b.take()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	given = append(given, b.given...)
	b.given = nil
	return given
}

// see counts a registered connection as active in this window.
func (l *epollLoop) see(r *record) {
	if r.seen != l.window {
		r.seen = l.window
		l.active++
	}
}

// balance ends a window: it publishes how busy the loop was, and decides where new
// connections should go and how many of its kept ones.
func (l *epollLoop) balance() {
	span := l.now - l.windowStart
	if span < balanceWindow {
		return
	}
	busy := int(max(0, span-l.slept) * 1000 / span)
	l.busy.Store(uint32(busy))
	active := l.active
	l.windowStart, l.slept, l.active, l.giveAway = l.now, 0, 0, 0
	l.window++
	if l.phase != phaseServing {
		return
	}
	least, theirs, total := l, busy, 0
	for _, o := range l.d.loops {
		b := int(o.busy.Load())
		total += b
		if b < theirs {
			least, theirs = o, b
		}
	}
	l.steer(busy, theirs, total)
	if busy >= saturated && active >= 2 && theirs <= spare {
		// Half of what would make both equally busy, so that several givers
		// do not drown one taker.
		l.giveAway = max(1, active*(busy-theirs)/(4*busy))
		l.to = least
	}
}

// hand gives the registered connection in hand, which is to be idle, to
// another loop.
func (l *epollLoop) hand(c *carried) {
	l.giveAway--
	if l.put(c, stateIdle) == nil {
		return
	}
	if l.poller.Remove(c.fd) != nil {
		l.end(c, endError)
		return
	}
	given := *l.records.At(c.id)
	given.held = 0
	l.forget(c.id)
	c.id = noID
	if !l.to.inbox.put(given) {
		l.end(c, endShutdown)
		return
	}
	l.to.poller.Wake()
}

// takeIn adopts the connections that others have handed over.
func (l *epollLoop) takeIn() {
	if !l.inbox.some.Load() {
		return
	}
	for _, r := range l.inbox.take() {
		l.adopt(&r)
	}
}

// adopt registers an idle connection that was another loop's.
func (l *epollLoop) adopt(given *record) {
	id := l.ids.Take()
	l.records.Grow(id)
	r := l.records.At(id)
	generation := r.generation
	*r = *given
	r.generation, r.state = generation, stateFree
	l.turn(r, stateIdle)
	if err := l.poller.Add(int(r.fd), watchReads, l.token(id)); err != nil {
		c := l.carry(id)
		l.end(&c, endError)
		return
	}
	l.wheel.Set(id, l.now+l.d.s.rules.cfg.IdleTimeout)
	if l.phase >= phaseDeaf {
		l.endIdle(id, endShutdown)
	}
}
