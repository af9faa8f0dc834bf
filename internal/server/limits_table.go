package server

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

const (
	// limitSets is the size of a limiter's table: 2^14 sets of 4 records, 2 MiB,
	// of which only what is used becomes resident.
	limitSets = 1 << 14
	limitWays = 4
)

// A limitTable holds a record for each address that has used up anything. Its
// size is fixed, it holds no pointers, and it needs no sweep: a record without
// open connections whose rates have recovered says the same as none, so that
// its place is free.
//
// Records are told apart by the whole address: a collision never counts one
// address for another, so nobody is refused for somebody else's sake. When the
// set that an address hashes to is full, the address takes the place of the
// one without open connections that recovers first, which thereby gets its
// whole burst back; when all four have open connections, its own go uncounted.
// Both err on the side of admitting. Addresses that each hold a connection
// fill sets by chance: of 16,000 such (a quarter of the table) 0.4 % find
// theirs full. The hash is seeded, so that nobody can aim at a set.
type limitTable struct {
	sets []limitSet
	seed [2]uint64
}

// limitSet is two cache lines.
type limitSet struct {
	mu sync.Mutex // guards the rest
	// keys are limitKeys; 0 is a place that was never used.
	keys [limitWays]uint64
	// connections and requests say when the rates of a record have recovered.
	connections [limitWays]time.Duration
	requests    [limitWays]time.Duration
	// open is the number of admitted connections that have not ended.
	open [limitWays]uint32
	_    [8]byte
}

// newLimitTable returns a table of that many sets, a power of two.
func newLimitTable(sets int) limitTable {
	return limitTable{sets: make([]limitSet, sets), seed: [2]uint64{rand.Uint64(), rand.Uint64() | 1}}
}

// limitKey returns the number that stands for an address: the first half of an
// IPv6 address, or an IPv4 address below the prefix ffff:ffff::, which is
// multicast and nobody's source. It is never 0.
func limitKey(addr netip.Addr) uint64 {
	const ipv4 = 0xffff_ffff << 32
	if addr.Is4() || addr.Is4In6() {
		b := addr.As4()
		return ipv4 | uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := addr.As16()
	if key := binary.BigEndian.Uint64(b[:8]); key != 0 {
		return key
	}
	return ipv4 // ::/64 is told apart from 0.0.0.0 by nobody
}

// set returns the set of a key.
func (t *limitTable) set(key uint64) *limitSet {
	hi, lo := bits.Mul64(key^t.seed[0], t.seed[1])
	return &t.sets[(hi^lo)&uint64(len(t.sets)-1)]
}

// open counts a connection, or says which limit it is over.
func (t *limitTable) open(now time.Duration, key uint64, most uint32, r rate) refusal {
	s := t.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.place(now, key)
	switch {
	case i < 0:
		return refusalNone
	case most > 0 && s.open[i] >= most:
		return refusalAddress
	case !r.take(now, &s.connections[i]):
		return refusalConnectionRate
	}
	if most > 0 {
		s.open[i]++
	}
	return refusalNone
}

// close takes back a connection. One that went uncounted takes another of its
// address's with it, if there is one by now: it errs on the side of admitting.
func (t *limitTable) close(key uint64) {
	s := t.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(key); i >= 0 && s.open[i] > 0 {
		s.open[i]--
	}
}

// request counts a request and says whether it is within the rate.
func (t *limitTable) request(now time.Duration, key uint64, r rate) bool {
	s := t.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.place(now, key)
	return i < 0 || r.take(now, &s.requests[i])
}

// charge counts n more requests, whether or not they are within the rate.
func (t *limitTable) charge(now time.Duration, key uint64, r rate, n int) {
	s := t.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.place(now, key); i >= 0 {
		s.requests[i] = max(s.requests[i], now) + time.Duration(n)*r.period
	}
}

// find returns the place of key, or -1.
func (s *limitSet) find(key uint64) int {
	for i := range s.keys {
		if s.keys[i] == key {
			return i
		}
	}
	return -1
}

// place returns the place of key, a new one if it has none, or -1 if every
// record of the set has open connections.
func (s *limitSet) place(now time.Duration, key uint64) int {
	if i := s.find(key); i >= 0 {
		return i
	}
	best, recovered := -1, time.Duration(0)
	for i := range s.keys {
		if s.keys[i] == 0 {
			best = i
			break
		}
		if at := max(s.connections[i], s.requests[i]); s.open[i] == 0 && (best < 0 || at < recovered) {
			best, recovered = i, at
		}
	}
	if best >= 0 {
		s.keys[best], s.connections[best], s.requests[best] = key, now, now
	}
	return best
}

// A rate is a token bucket as its arrival times tell it (GCRA): a record is one
// time, at which the bucket is full again.
type rate struct {
	period    time.Duration // between two events in the long run; 0 is no limit
	tolerance time.Duration // how far ahead of the long run a burst may be
}

// newRate returns the bucket of burst events, at least one, that fills up at
// perSecond.
func newRate(perSecond, burst int) rate {
	if perSecond == 0 {
		return rate{}
	}
	period := max(time.Second/time.Duration(perSecond), 1)
	return rate{period: period, tolerance: period * time.Duration(max(burst, 1)-1)}
}

// take counts an event at now, unless that is over the rate. full is the time at
// which the bucket is full again.
func (r rate) take(now time.Duration, full *time.Duration) bool {
	if r.period == 0 {
		return true
	}
	from := max(*full, now)
	if from-now > r.tolerance {
		return false
	}
	*full = from + r.period
	return true
}
