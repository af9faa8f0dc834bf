package swarm

import (
	"encoding/binary"

	"spate/internal/bittorrent"
)

// find returns the position of a peer.
func (l *list) find(k *peerKey, h uint64) (at uint32, found bool) {
	return l.findWithin(k, h, tableSlots)
}

// findWithin is find that looks at so many peers with the hash's tag at most, where the
// list has an index.
func (l *list) findWithin(k *peerKey, h uint64, tries int) (at uint32, found bool) {
	if l.indexForm == indexNone {
		return l.scan(k)
	}
	s, tag := l.indexSlots(h), tagOf(h)
	for i := home(h, len(s)); s[i] != 0; i = next(i, len(s)) {
		if s[i]&tagMask != tag {
			continue
		}
		if at := s[i]&posMask - 1; keyAt(l.wire(at), l.six) == *k {
			return at, true
		}
		if tries--; tries == 0 {
			break
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
	n   int
	max uint64 // of the one that announced longest ago: ticks since, nearness behind hand
	// hand is the position behind the last one that was replaced in this list.
	// Of peers that announced within one tick the first one from there on goes,
	// in a circle: new ones stand behind older ones, and those that came by
	// replacement behind them again. Otherwise the newest would always go.
	hand uint32
}

// add counts one of the source. A maximum of one word needs no branch.
func (c *crowd) add(at uint32, age uint16) {
	c.n++
	c.max = max(c.max, uint64(age)<<32|uint64(^(at-c.hand)))
}

// oldest returns the position of the one that announced longest ago.
func (c *crowd) oldest() uint32 { return ^uint32(c.max) + c.hand }

// hand returns where the crowd's hand stands in this list.
func (l *list) hand() uint32 {
	if l.sh.handOf != l.name() {
		return 0
	}
	return l.sh.hand
}

// moveHand leaves the hand behind the position of a peer that was replaced.
func (l *list) moveHand(at uint32) { l.sh.handOf, l.sh.hand = l.name(), at+1 }

// name tells the lists of a shard apart.
func (l *list) name() uint32 { return l.rec<<1 | b2u(l.six) }

// meet is find that looks on the same walk who else of the source is there. The
// source is not exempt from the limit per address. The crowd is whole only where
// the peer is not found. The walk is as long as the crowd is large, so its step
// is spelled out: BenchmarkAnnounceHostile/ports-of-one-address, 1.0 to 0.6 µs.
func (l *list) meet(k *peerKey, h uint64) (at uint32, found bool, c crowd) {
	c.hand = l.hand()
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
	if l.six {
		return l.meet6(k, h)
	}
	s := l.indexSlots(h)
	tag, now, addr := tagOf(h), uint16(l.sh.now), uint32(k.lo)
	var segments []uint32
	if l.form == formBig {
		segments = l.big.segments
	}
	arena := l.sh.arena
	for i := home(h, len(s)); s[i] != 0; i = next(i, len(s)) {
		if s[i]&tagMask != tag {
			continue
		}
		at := s[i]&posMask - 1
		var other uint32
		var port, mark uint16
		if segments != nil {
			p, j := arena.page(segments[at/segment4]), at%segment4
			wire := p[j*bittorrent.CompactLen4:][:bittorrent.CompactLen4]
			other, port = binary.BigEndian.Uint32(wire), binary.BigEndian.Uint16(wire[4:])
			mark = binary.NativeEndian.Uint16(p[segment4*bittorrent.CompactLen4+j*markSize:])
		} else {
			wire := l.buf[l.wireAt+int(at)*bittorrent.CompactLen4:][:bittorrent.CompactLen4]
			other, port = binary.BigEndian.Uint32(wire), binary.BigEndian.Uint16(wire[4:])
			mark = binary.NativeEndian.Uint16(l.buf[l.markAt+int(at)*markSize:])
		}
		if other != addr {
			continue
		}
		if port == k.port {
			return at, true, c
		}
		c.add(at, (now-mark)&markTicks)
	}
	return 0, false, c
}

// meet6 is meet for an IPv6 list with an index.
func (l *list) meet6(k *peerKey, h uint64) (at uint32, found bool, c crowd) {
	c.hand = l.hand()
	s := l.indexSlots(h)
	tag, now := tagOf(h), uint16(l.sh.now)
	buf, wireAt, markAt := l.buf, l.wireAt, l.markAt
	var segments []uint32
	if l.form == formBig {
		segments, wireAt, markAt = l.big.segments, 0, segment6*bittorrent.CompactLen6
	}
	for i := home(h, len(s)); s[i] != 0; i = next(i, len(s)) {
		if s[i]&tagMask != tag {
			continue
		}
		at := s[i]&posMask - 1
		j := int(at)
		if segments != nil {
			buf, j = l.sh.arena.page(segments[at/segment6])[:], int(at%segment6)
		}
		wire := buf[wireAt+j*bittorrent.CompactLen6:]
		if binary.BigEndian.Uint64(wire) != k.hi {
			continue
		}
		if binary.BigEndian.Uint64(wire[8:]) == k.lo && binary.BigEndian.Uint16(wire[16:]) == k.port {
			return at, true, c
		}
		c.add(at, (now-binary.NativeEndian.Uint16(buf[markAt+j*markSize:]))&markTicks)
	}
	return 0, false, c
}

// sameSource reports whether the peer at a position has k's address or /64.
func (l *list) sameSource(k *peerKey, at uint32) bool {
	other := keyAt(l.wire(at), l.six)
	return other.hi == k.hi && (l.six || other.lo == k.lo)
}
