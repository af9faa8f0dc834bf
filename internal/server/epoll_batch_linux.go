package server

import (
	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

const (
	// batchSize is how many kept connections are received from before the first
	// is answered.
	batchSize = 16
	// arrivalSize is how much is received of each at first: an ordinary request.
	arrivalSize = 4 << 10
)

// An arrival is a registered connection in hand, with what was received on it.
type arrival struct {
	carried
	full, ended bool   // there may be more to read, there is the end to read
	in          []byte // received and not used up
	from, to    int    // the replies in the batch's output
	next        action // after the replies
}

// A batch is the kept connections that one wake-up found something to read on. They
// are received from one after the other, then answered, then sent to, so that the
// code of each step is in the processor's caches from the second one on. The kernel's
// part of a request and ours are each larger than the nearest of them: taking turns
// they drive each other out.
type batch struct {
	arrivals [batchSize]arrival
	pending  int    // arrivals received and not answered
	space    []byte // arrivalSize for each arrival
}

// receive receives on a registered connection that holds nothing, and leaves what
// has come to answerBatch. Ended says that the peer sends no more.
func (l *epollLoop) receive(id uint32, ended bool) {
	r := l.records.At(id)
	l.see(r)
	a := &l.arrivals[l.pending]
	a.carried = l.carry(id)
	space := l.space[l.pending*arrivalSize:][:arrivalSize]
	n, errno := loop.Recv(a.fd, space)
	switch {
	case n > 0:
		a.in, a.full, a.ended = space[:n], n == arrivalSize, ended
		if l.pending++; l.pending == batchSize {
			l.answerBatch()
		}
	case errno != unix.EAGAIN:
		l.end(&a.carried, failedReceive(errno, false))
	case ended:
		l.again(id, r.generation)
	}
}

// answerBatch answers what was received.
func (l *epollLoop) answerBatch() {
	for left := l.arrivals[:l.pending]; len(left) > 0; {
		left = left[l.answerSome(left):]
	}
	l.pending = 0
}

// answerSome answers arrivals up to the limit of the output, and returns how many.
func (l *epollLoop) answerSome(arrivals []arrival) int {
	out, n := l.out[:0], 0
	for n < len(arrivals) && len(out) < outputLimit {
		a := &arrivals[n]
		n++
		var consumed int
		a.from = len(out)
		consumed, out, a.next = l.exchange.serve(l.now, &a.peer, a.in, out)
		a.in, a.to = a.in[consumed:], len(out)
	}
	if cap(out) <= maxScratch {
		l.out = out[:0]
	}
	arrivals = arrivals[:n]
	for i := range arrivals {
		a := &arrivals[i]
		// One that is to be served again has filled the output: it is the last.
		if l.deliver(&a.carried, a.in, out[a.from:a.to:a.to], a.next, a.full) {
			l.serve(&a.carried, a.in, a.full)
		}
	}
	for i := range arrivals {
		if a := &arrivals[i]; a.full || a.ended {
			l.readOn(a.id, a.ended)
		}
	}
	return n
}

// readOn goes on with a connection that was answered, where it still waits for bytes.
func (l *epollLoop) readOn(id uint32, ended bool) {
	if id == noID {
		return // another loop has it, whose poller tells
	}
	if s := l.records.At(id).state; s == stateIdle || s == stateHead {
		l.readable(id, ended)
	}
}
