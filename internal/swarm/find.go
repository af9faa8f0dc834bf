package swarm

import (
	"encoding/binary"
	"unsafe"

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
	max uint64 // of the one that announced longest ago: ticks since, times 1<<ageShift; nearness behind hand
	// hand is the position behind the last one that was replaced in this list.
	// Of peers that announced within one tick the first one from there on goes,
	// in a circle: new ones stand behind older ones, and those that came by
	// replacement behind them again. Otherwise the newest would always go.
	hand uint32
}

// add counts one of the source. A maximum of one word needs no branch.
func (c *crowd) add(at uint32, age uint16) {
	c.n++
	c.max = max(c.max, uint64(age)<<(32+ageShift)|uint64(^(at-c.hand)))
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
// the peer is not found.
func (l *list) meet(k *peerKey, h uint64) (at uint32, found bool, c crowd) {
	if l.indexForm == indexNone {
		c.hand = l.hand()
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
	slots := l.indexSlots(h)
	w := walk{six: l.six, tag: tagOf(h), home: home(h, len(slots)), now: uint32(l.sh.now) << ageShift, hand: l.hand()}
	var wire [bittorrent.CompactLen6]byte
	k.write(wire[:], l.six)
	w.addr, w.net, w.host = binary.NativeEndian.Uint32(wire[:]), binary.NativeEndian.Uint64(wire[:]), binary.NativeEndian.Uint64(wire[8:])
	w.port = binary.NativeEndian.Uint16(wire[l.width-2:])
	var block unsafe.Pointer
	w.segments, w.marks = l.places(&block)
	return w.meet(slots)
}

// places returns where the places of the list's segments in memory stand, and how far
// behind a segment's start its marks are. A block is one segment, whose place is put
// into block.
func (l *list) places(block *unsafe.Pointer) (segments unsafe.Pointer, marks uintptr) {
	if l.form == formBig {
		return unsafe.Pointer(&l.big.segments[0]), uintptr(segmentSize(l.six) * l.width)
	}
	*block = unsafe.Pointer(&l.buf[l.wireAt])
	return unsafe.Pointer(block), uintptr(l.markAt - l.wireAt)
}

// A walk is what meet looks for in a list with an index, and where. Its loop is as long
// as the crowd is large. What does not change in it is in a struct: variables would be
// more than there are registers, and the loop's own would go through memory, each round
// waiting for the one before (BenchmarkAnnounceHostile/ports-of-one-address).
type walk struct {
	six       bool
	addr      uint32 // of the announcing peer; this and the next three as they lie in memory
	net, host uint64 // the halves of an IPv6 address
	port      uint16
	tag       uint32
	home      int
	now, hand uint32
	segments  unsafe.Pointer
	marks     uintptr
}

// load16, load32 and load64 read what need not be aligned, where the processor can in one
// instruction.
func load16(p unsafe.Pointer) uint16 { return binary.NativeEndian.Uint16((*[2]byte)(p)[:]) }
func load32(p unsafe.Pointer) uint32 { return binary.NativeEndian.Uint32((*[4]byte)(p)[:]) }
func load64(p unsafe.Pointer) uint64 { return binary.NativeEndian.Uint64((*[8]byte)(p)[:]) }

// meet is list.meet among the slots that w is for.
func (w *walk) meet(slots []uint32) (at uint32, found bool, c crowd) {
	n, oldest := 0, uint64(0)
	segments, tag, now := w.segments, w.tag, w.now
	for run := slots[w.home:]; ; run = slots {
		for _, slot := range run {
			if slot ^= tag; slot > posMask {
				if slot == tag {
					return 0, false, crowd{n, oldest, w.hand}
				}
				continue
			}
			if slot == 0 {
				return 0, false, crowd{n, oldest, w.hand}
			}
			slot--
			i := uintptr(slot)
			var p unsafe.Pointer // to the peer's segment
			if w.six {
				p = *(*unsafe.Pointer)(unsafe.Add(segments, i/segment6*unsafe.Sizeof(segments)))
				i %= segment6
				peer := unsafe.Add(p, i*bittorrent.CompactLen6)
				if load64(peer) != w.net {
					continue
				}
				if load16(unsafe.Add(peer, 16)) == w.port && load64(unsafe.Add(peer, 8)) == w.host {
					return slot, true, crowd{}
				}
			} else {
				p = *(*unsafe.Pointer)(unsafe.Add(segments, i/segment4*unsafe.Sizeof(segments)))
				i %= segment4
				peer := unsafe.Add(p, i*bittorrent.CompactLen4)
				if load32(peer) != w.addr {
					continue
				}
				if load16(unsafe.Add(peer, 4)) == w.port {
					return slot, true, crowd{}
				}
			}
			n++
			age := now - uint32(load16(unsafe.Add(p, w.marks+i*markSize)))<<ageShift
			oldest = max(oldest, uint64(age)<<32|uint64(^(slot-w.hand)))
		}
	}
}

// sameSource reports whether the peer at a position has k's address or /64.
func (l *list) sameSource(k *peerKey, at uint32) bool {
	other := keyAt(l.wire(at), l.six)
	return other.hi == k.hi && (l.six || other.lo == k.lo)
}
