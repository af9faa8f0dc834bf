package server

import (
	"sync/atomic"
	"time"

	"spate/internal/loop"
)

// scratchSize is how much one receive takes: all of an ordinary request, and
// what is there of a pipeline.
const scratchSize = 64 << 10

// An epollLoop is one event loop. It runs in a goroutine of its own, which
// owns everything but the fields that say otherwise.
type epollLoop struct {
	d        *epollDriver
	index    int
	exchange *exchange
	count    *counters // the exchange's

	poller    *loop.Poller
	listeners []epollListener
	source    loop.Source

	wheel   *loop.Wheel // deadlines of records, by their index
	records loop.Slab[record]
	ids     loop.Numbers // of records
	held    loop.Slab[held]
	heldIDs loop.Numbers // of held
	buffers *loop.Buffers
	inState [stateCount]int32 // records by their state, but for stateFree

	in, out []byte // scratch: what is received, what is to be sent

	now          time.Duration // of this wake-up
	rested       bool          // the loop slept before this wake-up
	late         bool          // there may be more deadlines that have passed
	phase        phase
	deaf         bool          // accepts no more
	pausedUntil  time.Duration // when accepting goes on; 0 while it goes on
	unwatched    bool          // the poller does not watch the listeners
	saidShortage time.Duration // when the log last said so; 0 is never
	room         func()        // makeRoom as a value, made once
	looked       uint32        // how far makeRoom has looked
	acceptFailed int           // failures in a row, but for those that say why accepting pauses

	batch
	balancer

	// What follows is read by anyone.
	heartbeat atomic.Int64             // the time of the last wake-up
	crowded   atomic.Bool              // one of its connections is to give way; set by anyone
	states    [stateCount]atomic.Int32 // what inState was then
}

func newEpollLoop(d *epollDriver, index int) (*epollLoop, error) {
	poller, err := loop.NewPoller()
	if err != nil {
		return nil, err
	}
	x := d.s.newExchange()
	l := &epollLoop{
		d: d, index: index, exchange: x, count: x.count, poller: poller,
		wheel:   loop.NewWheel(d.s.rules.cfg.Clock()),
		buffers: loop.NewBuffers(d.budget),
		in:      make([]byte, scratchSize),
		out:     make([]byte, 0, scratchSize),
		batch:   batch{space: make([]byte, batchSize*arrivalSize)},

		balancer: balancer{processor: -1},
	}
	l.room = l.makeRoom
	return l, nil
}

// endRun ends all connections. The poller stays, since others may wake it. It
// may be called again.
func (l *epollLoop) endRun() {
	l.deafen()
	for _, r := range l.inbox.close() {
		l.adopt(&r)
	}
	l.endAll(func(*record) bool { return true })
}

// endAll ends, for the stop, every registered connection that chosen picks.
func (l *epollLoop) endAll(chosen func(*record) bool) {
	for id := range l.ids.End() {
		r := l.records.At(id)
		if r.state != stateFree && chosen(r) {
			c := l.carry(id)
			l.end(&c, endShutdown)
		}
	}
}

// enter does what the beginning of a phase asks for. Phases may be skipped.
func (l *epollLoop) enter(p phase) error {
	for l.phase < p {
		l.phase++
		switch l.phase {
		case phaseDraining:
			for i := range l.listeners {
				e := &l.listeners[i]
				if e.shared {
					continue
				}
				if err := loop.Refuse(e.fd); err != nil {
					l.d.s.log.Debug("connections that arrive during the stop are reset", "err", err)
				}
			}
			l.hurrySilent()
		case phaseDeaf:
			l.endIdleOnes() // which makes room where descriptors are short
			if err := l.acceptRest(); err != nil {
				return err
			}
			l.deafen()
		case phaseHurried:
			l.endAll(func(r *record) bool { return r.state == stateHead })
		case phaseAbandoned:
			l.endAll(func(*record) bool { return true })
		}
	}
	return nil
}

// hurrySilent gives connections that have not begun a request, as behind PROXY protocol
// and on unix sockets, a moment for it: whoever connects wants to ask, and a proxy's
// request may be under way.
func (l *epollLoop) hurrySilent() {
	for id := range l.ids.End() {
		if r := l.records.At(id); r.state == stateHead && r.held == 0 {
			l.wheel.Set(id, l.now+l.headTimeout())
		}
	}
}

// endIdleOnes ends, for the stop, all connections that wait for another request.
func (l *epollLoop) endIdleOnes() {
	for id := range l.ids.End() {
		if l.abandoned() {
			return // all of them end next
		}
		l.endIdle(id, endShutdown)
	}
}

// endIdle ends a connection that waits for another request, after a last look whether
// one has come: closing over it would reset the connection. Many connections take a
// while to close, and the poller may have said nothing since a signal interrupted it.
// It reports whether the connection has ended.
func (l *epollLoop) endIdle(id uint32, why ending) bool {
	r := l.records.At(id)
	generation, requests := r.generation, r.requests
	idle := func() bool {
		return r.generation == generation && r.state == stateIdle && r.requests == requests
	}
	if !idle() {
		return false
	}
	if l.readable(id, false); idle() {
		c := l.carry(id)
		l.end(&c, why)
	}
	return r.generation != generation
}
