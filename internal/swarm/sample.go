package swarm

import (
	"math/bits"

	"spate/internal/bittorrent"
)

const (
	// maxSeedersForSeeder is how many seeders a seeder gets where there is no
	// leecher: aria2 and rqbit announce left=0 while they fetch metadata.
	maxSeedersForSeeder = 10
	// noPeer is the position of a peer that is in no list.
	noPeer = ^uint32(0)
)

// Sets of parts, as bit masks.
const (
	seederParts  = 1<<partSeeders | 1<<partPrivateSeeders
	leecherParts = 1<<partLeechers | 1<<partPrivateLeechers
	publicParts  = 1<<partSeeders | 1<<partLeechers
)

// random is a source of random numbers that a copy foretells.
type random uint64

// below returns a random number below n, which is above 0.
func (r *random) below(n uint32) uint32 {
	*r += 0x9e3779b97f4a7c15
	hi, lo := bits.Mul64(uint64(*r), uint64(*r)^0xe7037ed1a0b428db)
	return uint32((hi ^ lo) >> 32 * uint64(n) >> 32)
}

// sample fills r's peers for the peer at position self of own.
func sample(own, other *list, self uint32, a *bittorrent.Announce, rng *random, r *bittorrent.AnnounceReply) {
	mask, want := partsFor(a), uint32(a.NumWant)
	if a.Seeder && own.sumOf(mask)+other.sumOf(mask) == 0 {
		mask, want = seederParts, min(want, maxSeedersForSeeder)
		if a.HidePrivate {
			mask &= publicParts
		}
	}
	mine, theirs := &r.Peers, &r.Peers6
	if own.six {
		mine, theirs = theirs, mine
	}
	var taken uint32
	*mine, taken = own.take(*mine, mask, want, self, rng)
	if taken < want && other.size > 0 {
		*theirs, _ = other.take(*theirs, mask, want-taken, noPeer, rng)
	}
}

// partsFor returns the parts from which an announcing peer gets others.
func partsFor(a *bittorrent.Announce) uint {
	mask := uint(seederParts | leecherParts)
	if a.Seeder {
		mask = leecherParts
	}
	if a.HidePrivate {
		mask &= publicParts
	}
	return mask
}

// sumOf returns how many peers are in a set of parts.
func (l *list) sumOf(mask uint) (n uint32) {
	for part := range partMute {
		if mask>>part&1 != 0 {
			n += l.n[part]
		}
	}
	return n
}

// take appends up to want random peers of a set of parts, without self. Each
// part gives its share, rounded at random such that all peers are equally
// likely: with points at u, u+M/want, u+2M/want, … on a line of all M peers,
// each part gives as many peers as points lie on it.
func (l *list) take(dst []byte, mask uint, want, self uint32, rng *random) (_ []byte, taken uint32) {
	total, selfPart := l.sumOf(mask), -1
	if self != noPeer {
		if part := l.partOf(self); mask>>part&1 != 0 {
			selfPart = part
			total--
		}
	}
	want = min(want, total)
	if want == 0 {
		return dst, 0
	}
	points := uint64(rng.below(total))
	given, start := uint32(0), uint32(0)
	for part := range partMute {
		n := l.n[part]
		if mask>>part&1 != 0 && n > 0 {
			skip := noPeer
			if part == selfPart {
				skip = self - start
			}
			size := n - b2u(skip != noPeer)
			points += uint64(size) * uint64(want)
			upTo := uint32(points / uint64(total))
			if quota := upTo - given; quota > 0 {
				dst = l.window(dst, start, size, skip, quota, rng)
			}
			given = upTo
		}
		start += n
	}
	return dst, want
}

// window appends quota peers of a part from a random offset on, around its end.
// The part starts at start and has size peers besides the one at skip.
func (l *list) window(dst []byte, start, size, skip, quota uint32, rng *random) []byte {
	from := uint32(0)
	if quota < size {
		from = rng.below(size)
	}
	upTo := from + quota
	dst = l.stretch(dst, start, from, min(upTo, size), skip)
	if upTo > size {
		dst = l.stretch(dst, start, 0, upTo-size, skip)
	}
	return dst
}

// stretch appends the peers of a part from one number up to another, where skip
// has no number.
func (l *list) stretch(dst []byte, start, from, to, skip uint32) []byte {
	if to <= skip {
		return l.appendPeers(dst, start+from, start+to)
	}
	if from < skip {
		dst = l.appendPeers(dst, start+from, start+skip)
		from = skip
	}
	return l.appendPeers(dst, start+from+1, start+to+1)
}

// appendPeers appends the compact form of the peers from one position up to
// another.
func (l *list) appendPeers(dst []byte, from, to uint32) []byte {
	if l.form != formBig {
		return append(dst, l.buf[l.wireAt+int(from*l.width):l.wireAt+int(to*l.width)]...)
	}
	size := segmentSize(l.six)
	for from < to {
		at, n := from%size, min(to-from, size-from%size)
		dst = append(dst, l.big.segments[from/size][at*l.width:(at+n)*l.width]...)
		from += n
	}
	return dst
}
