package server

import (
	"sync/atomic"
	"time"

	"spate/internal/loop"
)

const (
	// Loops are unevenly busy where one was awake for unevenBusy of a window, in
	// 1/1000, and another one for at most half as long, unevenWindows times in a row.
	unevenBusy    = 700
	unevenWindows = 3
	// steerLoad is the load of all loops together, in 1/1000 of one, that a single
	// one of them could carry: up to here unevenness does no harm.
	steerLoad = 500
	// steerRetry is how long after unevenness the next try is made under more load.
	steerRetry = time.Hour
)

// A steering has new connections taken by the loop on whose processor the system
// handles their packets: nothing of them then travels between caches, and nobody is
// woken on another processor. It ends where that leaves loops idle beside busy ones,
// as with a network card that has one queue; a hash spreads connections then.
type steering struct {
	ended    atomic.Int64 // when it did, in the server's time; 0 while it goes on
	unusable atomic.Bool  // the system refuses
}

// steer ends a window with regard to steering. Least is the share of the last window
// that the least busy loop was awake, total that of all loops.
func (l *epollLoop) steer(busy, least, total int) {
	s := &l.d.steering
	if len(l.d.loops) < 2 || s.unusable.Load() {
		return
	}
	if busy >= unevenBusy && least <= busy/2 {
		l.uneven++
	} else {
		l.uneven = 0
	}
	switch ended := time.Duration(s.ended.Load()); {
	case ended == 0 && l.uneven >= unevenWindows:
		l.d.s.log.Debug("new connections come in on few processors: a hash spreads them")
		s.ended.Store(int64(max(1, l.now)))
	case ended != 0 && (total <= steerLoad || l.now-ended >= steerRetry):
		s.ended.Store(0)
	}
	if s.ended.Load() != 0 {
		l.steerTo(-1)
	} else {
		l.steerTo(loop.Processor())
	}
}

// steerTo has the loop's own listening sockets take the connections of a processor.
func (l *epollLoop) steerTo(processor int) {
	if processor == l.processor {
		return
	}
	l.processor = processor
	for i := range l.listeners {
		e := &l.listeners[i]
		if e.shared {
			continue
		}
		if err := loop.Steer(e.fd, processor); err != nil {
			l.d.s.log.Debug("a hash spreads new connections over the loops", "err", err)
			l.d.steering.unusable.Store(true)
			return
		}
	}
}
