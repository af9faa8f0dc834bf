package swarm

import (
	"encoding/binary"

	"spate/internal/bittorrent"
)

// A peerKey is a peer's identity within a list.
type peerKey struct {
	hi, lo uint64 // the address, big-endian; an IPv4 one is in lo
	port   uint16
}

// keyAt reads a key from its compact form.
func keyAt(wire []byte, six bool) peerKey {
	if six {
		_ = wire[bittorrent.CompactLen6-1]
		return peerKey{binary.BigEndian.Uint64(wire), binary.BigEndian.Uint64(wire[8:]), binary.BigEndian.Uint16(wire[16:])}
	}
	_ = wire[bittorrent.CompactLen4-1]
	return peerKey{lo: uint64(binary.BigEndian.Uint32(wire)), port: binary.BigEndian.Uint16(wire[4:])}
}

// write writes the key's compact form.
func (k *peerKey) write(wire []byte, six bool) {
	if six {
		_ = wire[bittorrent.CompactLen6-1]
		binary.BigEndian.PutUint64(wire, k.hi)
		binary.BigEndian.PutUint64(wire[8:], k.lo)
		binary.BigEndian.PutUint16(wire[16:], k.port)
		return
	}
	_ = wire[bittorrent.CompactLen4-1]
	binary.BigEndian.PutUint32(wire, uint32(k.lo))
	binary.BigEndian.PutUint16(wire[4:], k.port)
}

// local reports whether the address is private, or one behind a carrier's NAT
// (100.64/10, RFC 6598): strangers outside cannot reach it. Strangers share such a
// network, though, so that records per source are limited in it.
func (k *peerKey) local(six bool) bool {
	return k.private(six) || !six && k.lo>>22 == 100<<2|1
}

// private reports whether the address is private (RFC 1918, RFC 4193),
// loopback or link-local.
func (k *peerKey) private(six bool) bool {
	if six {
		return k.hi>>57 == 0xfc>>1 || k.hi>>54 == 0xfe80>>6 || (k.hi == 0 && k.lo == 1)
	}
	switch uint32(k.lo) >> 24 {
	case 10, 127:
		return true
	case 169:
		return k.lo>>16 == 169<<8|254
	case 172:
		return k.lo>>20 == 172<<4|1
	case 192:
		return k.lo>>16 == 192<<8|168
	}
	return false
}

// mute reports whether the peer is never handed out: nobody listens on these.
func (k *peerKey) mute() bool { return k.port < 2 }

// part returns the part in which a peer belongs.
func (k *peerKey) part(six, seeder bool) int {
	switch local := k.local(six); {
	case k.mute():
		return partMute
	case seeder && local:
		return partPrivateSeeders
	case seeder:
		return partSeeders
	case local:
		return partPrivateLeechers
	}
	return partLeechers
}

// A big is what a big list needs beside its pages. Its counts are written at each
// announce, so it fills cache lines of its own: beside another shard's, two cores on
// two torrents took twice the time (BenchmarkAnnounceParallel).
type big struct {
	segments []*page
	numbers  []uint32 // of the segments' pages in the arena
	index    directory
	n        [counts]uint32
	_        [128 - 24 - 24 - 32 - 4*counts]byte
}

// grow adds a segment.
func (b *big) grow(a *arena) {
	n := a.alloc()
	b.numbers = append(b.numbers, n)
	b.segments = append(b.segments, a.page(n))
}

// trim gives the last segment back.
func (b *big) trim(a *arena) {
	last := len(b.segments) - 1
	a.release(b.numbers[last])
	b.numbers, b.segments = shrink(b.numbers, last), shrink(b.segments, last)
}

// A list is one family's peers of one torrent, opened for reading and changing.
// It lives within one hold of the shard's lock. What it caches of places in
// memory, view sets; after anything that may move blocks view is called again.
type list struct {
	sh  *shard
	rec uint32
	r   *record
	six bool

	form, class, indexForm, indexClass uint8

	n     [counts]uint32
	size  uint32 // peers of all parts
	width uint32 // of a peer in compact form
	big   *big   // of formBig

	// Where formInline and formBlock have their peers: peer i is at
	// wireAt+width*i, its mark at markAt+markStep*i.
	buf                      []byte
	wireAt, markAt, markStep int
}

// open opens one family's list of a record.
func (l *list) open(sh *shard, rec uint32, r *record, six bool) {
	l.sh, l.rec, l.r, l.six = sh, rec, r, six
	l.big, l.buf, l.wireAt, l.n, l.size = nil, nil, 0, [counts]uint32{}, 0
	head := r.head
	l.width = bittorrent.CompactLen4
	if six {
		l.width = bittorrent.CompactLen6
		head >>= headShift
	}
	if r.head&headFull == 0 {
		l.form, l.class, l.indexForm, l.indexClass = formInline, 0, indexNone, 0
		if head&(1<<headShift-1) != 0 {
			for i := range l.n {
				l.n[i] = uint32(head>>(4*i)) & 15
			}
		}
	} else {
		l.form, l.class = uint8(head&3), uint8(head>>2&31)
		l.indexForm, l.indexClass = uint8(head>>7&3), uint8(head>>9&31)
		switch l.form {
		case formBlock:
			n := r.area[l.headAt()+8:][:counts]
			for i := range l.n {
				l.n[i] = uint32(n[i])
			}
		case formBig:
			l.big = &sh.bigs[l.handle()]
			l.n = l.big.n
		}
	}
	n := &l.n
	l.size = n[0] + n[1] + n[2] + n[3] + n[4]
	l.view()
}

// has reports whether a record has peers of a family.
func (r *record) has(six bool) bool {
	if six {
		return r.head>>headShift&(1<<headShift-1) != 0
	}
	return r.head&(1<<headShift-1) != 0
}

// save writes back what open has read and the caller has changed.
func (l *list) save() {
	shift := 0
	if l.six {
		shift = headShift
	}
	var head uint64
	switch l.form {
	case formInline:
		for i, n := range l.n {
			head |= uint64(n) << (4 * i)
		}
	case formBlock:
		at := l.headAt() + 8
		for i, n := range l.n {
			l.r.area[at+i] = uint8(n)
		}
	case formBig:
		l.big.n = l.n
	}
	if l.form != formInline {
		head = uint64(l.form) | uint64(l.class)<<2 | uint64(l.indexForm)<<7 | uint64(l.indexClass)<<9
	}
	l.r.head = l.r.head&^((1<<headShift-1)<<shift) | head<<shift
}

// view finds the peers again after blocks may have moved.
func (l *list) view() {
	switch l.form {
	case formInline:
		l.buf, l.wireAt, l.markAt, l.markStep = l.r.area[:], 0, inlineMark4, -markSize
		if l.six {
			l.wireAt, l.markAt = inlineWire6, inlineMark6
		}
	case formBlock:
		l.buf = l.sh.arena.block(l.handle(), l.class)
		l.wireAt, l.markStep = blockHeadSize, markSize
		l.markAt = int(blockMarks(l.width, classes[l.class].peers[b2u(l.six)]))
	}
}

// headAt returns where the list's 16 bytes of a full record's area start.
func (l *list) headAt() int { return int(b2u(l.six)) * listHeadSize }

// handle returns the list's block or the number of its big.
func (l *list) handle() uint32 { return binary.NativeEndian.Uint32(l.r.area[l.headAt():]) }

// indexHandle returns the block of the list's index.
func (l *list) indexHandle() uint32 { return binary.NativeEndian.Uint32(l.r.area[l.headAt()+4:]) }

// setHandle writes a block's place into a full record.
func (r *record) setHandle(six, index bool, handle uint32) {
	at := int(b2u(six))*listHeadSize + 4*int(b2u(index))
	binary.NativeEndian.PutUint32(r.area[at:], handle)
}

// segmentSize returns how many peers a page of a big list holds.
func segmentSize(six bool) uint32 {
	if six {
		return segment6
	}
	return segment4
}

// segment returns which page of a big list peer i is in, where its compact form
// is in the page, and where its mark is. Constants spare the divisions.
func (l *list) segment(i uint32) (p *page, wireAt, markAt uint32) {
	if l.six {
		n, i := i/segment6, i%segment6
		return l.big.segments[n], i * bittorrent.CompactLen6, segment6*bittorrent.CompactLen6 + i*markSize
	}
	n, i := i/segment4, i%segment4
	return l.big.segments[n], i * bittorrent.CompactLen4, segment4*bittorrent.CompactLen4 + i*markSize
}

// wire returns the compact form of peer i, to be read or written.
func (l *list) wire(i uint32) []byte {
	if l.form == formBig {
		p, at, _ := l.segment(i)
		return p[at : at+l.width]
	}
	at := l.wireAt + int(i*l.width)
	return l.buf[at : at+int(l.width)]
}

// markBytes returns the mark of peer i, to be read or written.
func (l *list) markBytes(i uint32) []byte {
	if l.form == formBig {
		p, _, at := l.segment(i)
		return p[at : at+markSize]
	}
	at := l.markAt + int(i)*l.markStep
	return l.buf[at : at+markSize]
}

func (l *list) mark(i uint32) uint16       { return binary.NativeEndian.Uint16(l.markBytes(i)) }
func (l *list) setMark(i uint32, m uint16) { binary.NativeEndian.PutUint16(l.markBytes(i), m) }

// start returns the position of the first peer of a part.
func (l *list) start(part int) uint32 {
	at := uint32(0)
	for _, n := range l.n[:part] {
		at += n
	}
	return at
}

// partOf returns the part in which position i lies.
func (l *list) partOf(i uint32) int {
	for part, n := range l.n[:parts] {
		if i < n {
			return part
		}
		i -= n
	}
	return parts
}

// complete, incomplete and downloaders are what a scrape says of the list.
func (l *list) complete() uint32 {
	return l.n[partSeeders] + l.n[partPrivateSeeders] + l.n[countMuteSeeders]
}
func (l *list) incomplete() uint32  { return l.size - l.complete() }
func (l *list) downloaders() uint32 { return l.incomplete() - l.n[countPaused] }

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
