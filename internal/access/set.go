package access

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"spate/internal/bittorrent"
)

const (
	// perBucket is how many hashes share a bucket. Four tags are a word, and
	// those of two buckets are compared at once.
	perBucket = 4
	// fill is how many slots of 100 are taken. Buckets of four with two choices
	// can be filled to 97; what is near to that takes long to place.
	fill = 90
	// maxMoves is how many hashes are moved to make room for one before the set
	// is built anew.
	maxMoves = 500
)

// set is an immutable set of info hashes: a cuckoo hash table (Pagh and Rodler,
// 2004) with buckets of four. A hash lies in one of two buckets; a tag of each, 8
// bits, says which slot it can be in.
//
//	tags    |dcba|    |  fe|…   one word a bucket; 0 is an empty slot
//	hashes  |ABCD|    |EF  |…   one slot a tag
//
// It holds 23.4 bytes a hash and no pointers but the two slices.
//
// What a look-up costs is waiting for memory. The tags, 1.1 MB for a million hashes,
// stay in a cache, and answer 97 of 100 look-ups of hashes that are not in the set.
// The others compare the one hash with the same tag. Its place follows from the tags
// alone, so the processor guesses the branches after it right and works on while main
// memory answers. BenchmarkAllows shows it.
type set struct {
	seed   [4]uint64
	tags   []uint32
	hashes []bittorrent.InfoHash
	n      int // hashes in the set
}

// Masks for looking at 8 bytes at once in one word.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// newSet returns the set of hashes, which may repeat, and of which there are
// fewer than 2³². It keeps nothing of the slice.
func newSet(hashes []bittorrent.InfoHash) *set {
	s := place(hashes)
	if s.n < len(hashes)/2 { // most of what it holds is empty
		kept := make([]bittorrent.InfoHash, 0, s.n)
		for h := range s.all {
			kept = append(kept, *h)
		}
		s = place(kept)
	}
	return s
}

// place returns the set of hashes in the room that they take if they are all
// different, or a little more where that is too tight.
func place(hashes []bittorrent.InfoHash) *set {
	buckets := uint64(len(hashes))*100/fill/perBucket + 1
	for {
		if s := build(hashes, buckets); s != nil {
			return s
		}
		buckets += buckets/16 + 1
	}
}

// build returns the set of hashes in so many buckets, or nil where they do not
// all find a place.
func build(hashes []bittorrent.InfoHash, buckets uint64) *set {
	s := &set{
		// Info hashes are as good as random, but a list may hold made-up ones
		// too, and who may put hashes on it must not aim at one bucket.
		seed:   [4]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64() | 1, rand.Uint64() | 1},
		tags:   make([]uint32, buckets),
		hashes: make([]bittorrent.InfoHash, buckets*perBucket),
	}
	for i := range hashes {
		if s.has(&hashes[i]) {
			continue
		}
		if !s.insert(hashes[i]) {
			return nil
		}
		s.n++
	}
	return s
}

// insert puts a hash that is not in the set into a free slot of its buckets, or
// into that of another hash, which then moves on to its other bucket.
func (s *set) insert(h bittorrent.InfoHash) bool {
	for range maxMoves {
		a, b, tag := s.find(&h)
		if s.put(a, tag, &h) || s.put(b, tag, &h) {
			return true
		}
		r := rand.Uint64()
		if r&perBucket != 0 {
			a = b
		}
		i := r % perBucket
		slot := &s.hashes[a*perBucket+i]
		h, *slot = *slot, h
		s.tags[a] = s.tags[a]&^(0xff<<(8*i)) | uint32(tag)<<(8*i)
	}
	return false
}

// put puts h into a free slot of a bucket, if there is one.
func (s *set) put(bucket, tag uint64, h *bittorrent.InfoHash) bool {
	// Slots are filled from the first on, and none is ever emptied.
	i := uint64(bits.Len32(s.tags[bucket])+7) / 8
	if i == perBucket {
		return false
	}
	s.tags[bucket] |= uint32(tag) << (8 * i)
	s.hashes[bucket*perBucket+i] = *h
	return true
}

// find returns the two buckets that h may be in, which can be the same one, and
// its tag, 2 to 255. It is never 0, which marks an empty slot, nor 1: has can err
// about tags that differ only in their last bit, and must not take an empty slot for h.
func (s *set) find(h *bittorrent.InfoHash) (a, b, tag uint64) {
	// Three multiplications of 64 to 128 bits, folded, as wyhash does it. They
	// are inlined: a call of hash/maphash takes a third longer. With two of them,
	// hashes that differ in their last bytes only would not spread.
	x := fold(binary.LittleEndian.Uint64(h[0:])^s.seed[0], binary.LittleEndian.Uint64(h[8:])^s.seed[1])
	x = fold(x^binary.LittleEndian.Uint64(h[12:]), s.seed[2])
	x = fold(x, s.seed[3])
	// A product's high part spreads 32 bits over the buckets without a division,
	// whatever their number. It depends on their high bits, the tag on the low
	// ones.
	n := uint64(len(s.tags))
	return (x >> 32) * n >> 32, (x & (1<<32 - 1)) * n >> 32, (x&0xff)*254>>8 + 2
}

// fold multiplies a and b and folds the product into one word.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// has reports whether h is in the set.
func (s *set) has(h *bittorrent.InfoHash) bool {
	a, b, tag := s.find(h)
	x := uint64(s.tags[a]) | uint64(s.tags[b])<<32
	x ^= ones * tag
	// The lowest bit that is set here belongs to the first tag that is the same;
	// those above it may be wrong, and cost a comparison.
	for same := (x - ones) &^ x & highs; same != 0; same &= same - 1 {
		i := uint64(bits.TrailingZeros64(same)) / 8
		slot := a*perBucket + i
		if i >= perBucket {
			slot = b*perBucket + i - perBucket
		}
		if equal(&s.hashes[slot], h) {
			return true
		}
	}
	return false
}

// equal compares two hashes without a branch on each of their parts.
func equal(p, q *bittorrent.InfoHash) bool {
	return binary.LittleEndian.Uint64(p[0:])^binary.LittleEndian.Uint64(q[0:])|
		binary.LittleEndian.Uint64(p[8:])^binary.LittleEndian.Uint64(q[8:])|
		binary.LittleEndian.Uint64(p[12:])^binary.LittleEndian.Uint64(q[12:]) == 0
}

// all yields the hashes of the set, in no order. They are not to be changed.
func (s *set) all(yield func(*bittorrent.InfoHash) bool) {
	for i := range s.hashes {
		if s.tags[i/perBucket]>>(i%perBucket*8)&0xff != 0 && !yield(&s.hashes[i]) {
			return
		}
	}
}
