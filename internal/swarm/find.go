package swarm

import (
	"encoding/binary"

	"spate/internal/bittorrent"
)

// find returns the position of a peer.
func (l *list) find(k *peerKey, h uint64) (at uint32, found bool) {
	if l.indexForm == indexNone {
		return l.scan(k)
	}
	s := l.indexSlots(h)
	tag := tagOf(h)
	for i := home(h, len(s)); s[i] != 0; i = next(i, len(s)) {
		if s[i]&tagMask == tag {
			if at := s[i]&posMask - 1; keyAt(l.wire(at), l.six) == *k {
				return at, true
			}
		}
	}
	return 0, false
}

// scan finds a peer of a list without an index, which is in one piece.
func (l *list) scan(k *peerKey) (at uint32, found bool) {
	wire := l.buf[l.wireAt:]
	if l.six {
		for i := range l.size {
			if keyAt(wire[i*bittorrent.CompactLen6:], true) == *k {
				return i, true
			}
		}
		return 0, false
	}
	want := k.lo<<16 | uint64(k.port)
	for i := range l.size {
		peer := wire[i*bittorrent.CompactLen4:][:bittorrent.CompactLen4]
		if uint64(binary.BigEndian.Uint32(peer))<<16|uint64(binary.BigEndian.Uint16(peer[4:])) == want {
			return i, true
		}
	}
	return 0, false
}

// A crowd is who of one source is in a list: one IPv4 address or IPv6 /64.
type crowd struct {
	n      int
	oldest uint32 // position of the one that announced longest ago
	age    uint16 // and how many ticks ago
}

// add counts one of the source.
func (c *crowd) add(at uint32, age uint16) {
	if c.n++; c.n == 1 || age > c.age {
		c.age, c.oldest = age, at
	}
}

// meet is find that looks on the same walk who else of the source is there. The
// source is not exempt from the limit per address. The crowd is whole only where
// the peer is not found. The walk is as long as the crowd is large, so its step
// is spelled out: BenchmarkAnnounceHostile/ports-of-one-address, 1.0 to 0.6 µs.
func (l *list) meet(k *peerKey, h uint64) (at uint32, found bool, c crowd) {
	if l.indexForm == indexNone {
		for at := range l.size {
			if l.sameSource(k, at) {
				if keyAt(l.wire(at), l.six) == *k {
					return at, true, c
				}
				c.add(at, uint16(l.sh.age(l.mark(at))))
			}
		}
		return 0, false, c
	}
	s := l.indexSlots(h)
	tag := tagOf(h)
	now := uint16(l.sh.now)
	for i := home(h, len(s)); s[i] != 0; i = next(i, len(s)) {
		if s[i]&tagMask != tag {
			continue
		}
		at := s[i]&posMask - 1
		var wire, mark []byte
		if l.form == formBig {
			p, wireAt, markAt := l.segment(at)
			wire, mark = p[wireAt:], p[markAt:]
		} else {
			wire, mark = l.buf[l.wireAt+int(at*l.width):], l.buf[l.markAt+int(at)*l.markStep:]
		}
		if l.six {
			if binary.BigEndian.Uint64(wire) != k.hi {
				continue
			}
			if binary.BigEndian.Uint64(wire[8:]) == k.lo && binary.BigEndian.Uint16(wire[16:]) == k.port {
				return at, true, c
			}
		} else {
			if binary.BigEndian.Uint32(wire) != uint32(k.lo) {
				continue
			}
			if binary.BigEndian.Uint16(wire[4:]) == k.port {
				return at, true, c
			}
		}
		c.add(at, (now-binary.NativeEndian.Uint16(mark))&markTicks)
	}
	return 0, false, c
}

// sameSource reports whether the peer at a position has k's address or /64.
func (l *list) sameSource(k *peerKey, at uint32) bool {
	other := keyAt(l.wire(at), l.six)
	return other.hi == k.hi && (l.six || other.lo == k.lo)
}
