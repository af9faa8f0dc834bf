package server

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

// A state is what a registered connection waits for.
type state uint8

const (
	stateFree      state = iota // the record is not in use
	stateHead                   // the first byte of the first head, or the rest of one
	stateIdle                   // another request, or the end
	stateWriting                // room to send the rest of a reply
	stateLingering              // what a refused sender still sends
	stateCount
)

const (
	flagIs4     = 1 << iota // the client is IPv4
	flagUnix                // the client is the zero Addr
	flagPending             // peer.pending
	flagWrites              // watched for Writable, not Readable
	flagServed              // lingering after an answer, not after a refusal
	flagProxied             // carried.proxied
)

// A record is a registered connection. It holds no Go pointer, and its size is
// what an idle connection costs us besides 16 bytes of the wheel:
//
//	descriptor 4, generation 4, address 16, requests 4, checked 2, seen 2,
//	flags 1, via 1, state 1, unused 1, held 4, dropped 4
type record struct {
	fd         int32
	generation uint32 // tells late events of a former connection apart
	address    [16]byte
	requests   uint32
	checked    uint16
	seen       uint16 // the balancer's window in which it last had a request
	flags      uint8
	via        Proxy
	state      state
	held       uint32 // 1 + the index in epollLoop.held, or 0
	dropped    uint32 // bytes dropped while lingering
}

// lingered says why a lingering connection ends.
func (r *record) lingered() ending {
	if r.flags&flagServed != 0 {
		return endServed
	}
	return endRefused
}

// held is what a connection owns while a head is incomplete or a reply is
// unsent.
type held struct {
	in   []byte // received and not used up
	out  []byte // replies of which the first sent bytes are sent
	sent int
	next action // after the replies
}

// noID is the id of a connection that is not registered.
const noID = ^uint32(0)

// carried is the connection in hand. Most connections are never anything else.
type carried struct {
	fd   int
	id   uint32
	peer peer
	// proxied: peer.client is not, or will not be, the source. Such a source is
	// a trusted proxy, for which limits know no address.
	proxied bool
}

// carry takes a registered connection in hand.
func (l *epollLoop) carry(id uint32) carried {
	r := l.records.At(id)
	c := carried{fd: int(r.fd), id: id, proxied: r.flags&flagProxied != 0}
	c.peer.requests, c.peer.checked, c.peer.via = r.requests, r.checked, r.via
	c.peer.pending = r.flags&flagPending != 0
	switch {
	case r.flags&flagIs4 != 0:
		c.peer.client = netip.AddrFrom4([4]byte(r.address[12:]))
	case r.flags&flagUnix == 0:
		c.peer.client = netip.AddrFrom16(r.address)
	}
	return c
}

// What registered connections are watched for. Each event comes once, which
// takes 2 or 3 % off a request on one of 1,000 kept connections (bench/floor
// -edge); who leaves something unread calls again.
const (
	watchReads  = loop.Readable | loop.Ended | loop.Edge
	watchWrites = loop.Writable | loop.Edge
)

// again lets the poller look once more at a registered connection that something
// may be left to read on. It does nothing if the connection has ended, or
// waits for something else: it is looked at when it next waits for bytes.
func (l *epollLoop) again(id, generation uint32) {
	r := l.records.At(id)
	if r.generation != generation || r.state != stateHead && r.state != stateIdle {
		return
	}
	if l.poller.Modify(int(r.fd), watchReads, l.token(id)) != nil {
		c := l.carry(id)
		l.end(&c, endError)
	}
}

// put stores the connection in hand, registering it when it is new, and
// watches it for what its state waits for. It is nil when the connection had
// to be ended.
func (l *epollLoop) put(c *carried, s state) *record {
	watch, writes := watchReads, uint8(0)
	if s == stateWriting {
		watch, writes = watchWrites, flagWrites
	}
	var r *record
	var err error
	if c.id == noID {
		id := l.ids.Take()
		l.records.Grow(id)
		r = l.records.At(id)
		r.fd = int32(c.fd)
		c.id = id
		err = l.poller.Add(c.fd, watch, l.token(id))
	} else {
		r = l.records.At(c.id)
		if r.flags&flagWrites != writes {
			err = l.poller.Modify(c.fd, watch, l.token(c.id))
		}
	}
	l.turn(r, s)
	r.requests, r.checked, r.via = c.peer.requests, c.peer.checked, c.peer.via
	r.flags = writes
	if c.peer.pending {
		r.flags |= flagPending
	}
	if c.proxied {
		r.flags |= flagProxied
	}
	switch client := c.peer.client; {
	case client.Is4():
		r.flags |= flagIs4
		r.address = client.As16()
	case client.IsValid():
		r.address = client.As16()
	default:
		r.flags |= flagUnix
	}
	if err != nil {
		l.end(c, endError) // no memory, or the system's limit on watches
		return nil
	}
	return r
}

func (l *epollLoop) token(id uint32) loop.Token {
	return loop.Token(id) | loop.Token(l.records.At(id).generation)<<32
}

// end closes a connection, counts why and forgets it.
func (l *epollLoop) end(c *carried, why ending) {
	loop.Close(c.fd)
	source := c.peer.client
	if c.proxied {
		source = netip.Addr{}
	}
	l.d.s.rules.limits.release(source)
	l.count.ended[why].Add(1)
	if c.id != noID {
		l.forget(c.id)
	}
	l.freed()
}

// forget frees all that a registered connection has.
func (l *epollLoop) forget(id uint32) {
	l.wheel.Cancel(id)
	l.release(id)
	r := l.records.At(id)
	// The top bit of a token is the listeners'.
	r.generation = (r.generation + 1) &^ (1 << 31)
	l.turn(r, stateFree)
	l.ids.Return(id)
}

// turn changes the state of a record, and what counts them.
func (l *epollLoop) turn(r *record, s state) {
	l.inState[r.state]--
	l.inState[s]++
	r.state = s
}

// own returns what a registered connection owns, at first nothing.
func (l *epollLoop) own(id uint32) *held {
	r := l.records.At(id)
	if r.held == 0 {
		i := l.heldIDs.Take()
		l.held.Grow(i)
		r.held = i + 1
	}
	return l.held.At(r.held - 1)
}

// replace makes *slot a copy of b in a borrowed buffer, the one that it has if
// that has room. It is false when no more can be borrowed; *slot is then nil.
func (l *epollLoop) replace(slot *[]byte, b []byte) bool {
	if cap(*slot) < len(b) || len(b) == 0 {
		l.buffers.Put(*slot)
		*slot = nil
		if len(b) == 0 {
			return true
		}
		if *slot = l.buffers.Get(len(b)); *slot == nil {
			return false
		}
	}
	*slot = append((*slot)[:0], b...)
	return true
}

// release takes back what a connection owns.
func (l *epollLoop) release(id uint32) {
	r := l.records.At(id)
	if r.held == 0 {
		return
	}
	h := l.held.At(r.held - 1)
	l.buffers.Put(h.in)
	l.buffers.Put(h.out)
	*h = held{}
	l.heldIDs.Return(r.held - 1)
	r.held = 0
}

// failedReceive says why a connection ends that could not be read from; errno
// 0 is the end of the stream. Partial tells that a head had begun.
func failedReceive(errno unix.Errno, partial bool) ending {
	switch {
	case errno != 0 && errno != unix.ECONNRESET:
		return endError
	case partial:
		return endTruncated
	}
	return endClient
}
