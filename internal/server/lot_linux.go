package server

import (
	"sync"
	"time"

	"spate/internal/loop"
)

const (
	// lotRest is how long an empty lot sleeps at most.
	lotRest = time.Hour
	// lotBatch bounds how many connections one wake-up ends since their
	// deadlines have passed, so that requests that come meanwhile have their
	// turn: each is written a closing alert.
	lotBatch = 64
)

// A lot is where connections of the goroutine driver wait for a request
// without a goroutine: an epoll instance watches their sockets besides Go's
// own, and a wheel their deadlines.
type lot struct {
	poller *loop.Poller
	start  time.Time // the wheel's zero
	ended  chan struct{}

	mu     sync.Mutex // guards what follows
	conns  loop.Slab[*conn]
	ids    loop.Numbers
	wheel  *loop.Wheel
	looked uint32 // how far takeAny has looked
	closed bool   // takes no more
}

// newLot returns an empty lot. Run and then stop, or close, releases it.
func newLot() (*lot, error) {
	poller, err := loop.NewPoller()
	if err != nil {
		return nil, err
	}
	return &lot{poller: poller, start: time.Now(), ended: make(chan struct{}), wheel: loop.NewWheel(0)}, nil
}

// park takes the connection over until there is something to read, its
// deadline passes or the server stops, and says whether it did. The caller
// does not touch it afterwards.
func (l *lot) park(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	id := l.ids.Take()
	l.conns.Grow(id)
	*l.conns.At(id) = c
	failed := error(nil)
	err := c.raw.Control(func(fd uintptr) { failed = l.poller.Add(int(fd), loop.Readable, loop.Token(id)) })
	if err != nil || failed != nil {
		*l.conns.At(id) = nil
		l.ids.Return(id)
		return false // no memory, or the system's limit on watches
	}
	l.wheel.Set(id, c.deadline.Sub(l.start))
	if l.ids.Used() == 1 {
		l.poller.Wake() // it sleeps for longer
	}
	return true
}

// take takes a connection out. The caller holds mu.
func (l *lot) take(id uint32) *conn {
	c := *l.conns.At(id)
	*l.conns.At(id) = nil
	_ = c.raw.Control(func(fd uintptr) { _ = l.poller.Remove(int(fd)) }) // it is open, and was added
	l.wheel.Cancel(id)
	l.ids.Return(id)
	return c
}

// run serves the lot until stop, or until the poller fails. It never waits for a
// peer.
func (l *lot) run() error {
	defer close(l.ended)
	var ready, late, left []*conn
	for {
		d := l.rest()
		if len(late) == lotBatch {
			d = 0 // there may be more
		}
		clear(ready)
		clear(late)
		ready, late = ready[:0], late[:0]
		events, err := l.poller.Wait(d)
		l.mu.Lock()
		for _, e := range events {
			// One may have given way since. Where another one has its number now, that
			// goes on to wait.
			if id := uint32(e.Token); *l.conns.At(id) != nil {
				ready = append(ready, l.take(id))
			}
		}
		now := time.Since(l.start)
		for len(late) < lotBatch {
			id, ok := l.wheel.Expire(now)
			if !ok {
				break
			}
			late = append(late, l.take(id))
		}
		if err != nil {
			l.closed = true
		}
		closed := l.closed
		for id := uint32(0); closed && id < l.ids.End(); id++ {
			if *l.conns.At(id) != nil {
				left = append(left, l.take(id))
			}
		}
		l.mu.Unlock()

		for _, c := range ready {
			go c.resume()
		}
		for _, c := range late {
			c.expired()
		}
		for _, c := range left {
			c.evicted()
		}
		if closed {
			return err
		}
	}
}

// rest is how long nothing can expire.
func (l *lot) rest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.wheel.Wait(time.Since(l.start)); d >= 0 {
		return d
	}
	return lotRest
}

// stop empties a running lot. It takes no more then.
func (l *lot) stop() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.poller.Wake()
	<-l.ended
	l.poller.Close()
}

// close releases a lot that was never run.
func (l *lot) close() { l.poller.Close() }
