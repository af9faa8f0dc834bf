package access

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"

	"spate/internal/bittorrent"
)

// perBucket is how many hashes share a bucket on average. At 4 the index costs
// 2 bytes a hash and a bucket fits two cache lines.
const perBucket = 4

// set is an immutable set of info hashes: all of them in one slice, ordered by
// bucket, with an index of where each bucket begins and of what may be in it.
// It holds 22 bytes a hash and no pointers but the two slices.
//
//	index   bits 63…32  where the bucket begins in hashes
//	        bits 31…0   its filter: two bits for each of its hashes, as
//	                    find has them
//	        One more entry than there are buckets ends the last one.
//	hashes  a b c | | d e f g h | …
//
// What a look-up costs is waiting for memory. The filter answers 94 of 100
// look-ups of hashes that are not in the set from the index alone, which for a
// million hashes is 2 MB and stays in a cache; the price is 1 byte a hash.
// Others wait for their bucket as well. A table with open addressing needs no
// index, but 32 bytes a hash, and waits for main memory every time.
// BenchmarkAllows shows it.
type set struct {
	seed   [4]uint64
	index  []uint64
	hashes []bittorrent.InfoHash
}

// newSet returns the set of hashes, which may repeat, and of which there are
// fewer than 2³². It keeps nothing of the slice.
func newSet(hashes []bittorrent.InfoHash) *set {
	buckets := len(hashes)/perBucket + 1
	s := &set{
		// Info hashes are as good as random, but a list may hold made-up ones
		// too, and who may put hashes on it must not aim at one bucket.
		seed:   [4]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64() | 1, rand.Uint64() | 1},
		index:  make([]uint64, buckets+1),
		hashes: make([]bittorrent.InfoHash, len(hashes)),
	}
	// A counting sort by bucket. While it places, next[b+1] is where bucket b's
	// next hash goes, and so ends up where bucket b+1 begins.
	next := make([]uint32, buckets+2)
	for i := range hashes {
		b, _ := s.find(&hashes[i])
		next[b+2]++
	}
	for b := 2; b < len(next); b++ {
		next[b] += next[b-1]
	}
	for i := range hashes {
		b, filter := s.find(&hashes[i])
		s.hashes[next[b+1]] = hashes[i]
		next[b+1]++
		s.index[b] |= filter
	}
	s.compact(next)
	return s
}

// compact removes the hashes that come more than once and fills in where each
// bucket begins. starts says where it began before.
func (s *set) compact(starts []uint32) {
	kept := s.hashes[:0]
	for b := range len(s.index) - 1 {
		first := len(kept)
		s.index[b] |= uint64(first) << 32
		for _, h := range s.hashes[starts[b]:starts[b+1]] {
			if !slices.Contains(kept[first:], h) {
				kept = append(kept, h)
			}
		}
	}
	s.index[len(s.index)-1] = uint64(len(kept)) << 32
	if len(kept) < len(s.hashes) {
		kept = slices.Clip(slices.Clone(kept))
	}
	s.hashes = kept
}

// find returns the bucket that h belongs to, and its bits in the filter.
func (s *set) find(h *bittorrent.InfoHash) (bucket int, filter uint64) {
	// Three multiplications of 64 to 128 bits, folded, as wyhash does it. They
	// are inlined: with hash/maphash BenchmarkAllows/unlisted takes a third
	// longer. With two of them, hashes that differ in their last bytes only would
	// share bits of their filters.
	x := fold(binary.LittleEndian.Uint64(h[0:])^s.seed[0], binary.LittleEndian.Uint64(h[8:])^s.seed[1])
	x = fold(x^binary.LittleEndian.Uint64(h[12:]), s.seed[2])
	x = fold(x, s.seed[3])
	// The high word of the product spreads x over the buckets without a
	// division, whatever their number. It depends on the high bits of x, the
	// filter on the low ones.
	hi, _ := bits.Mul64(x, uint64(len(s.index)-1))
	return int(hi), 1<<(x&31) | 1<<(x>>5&31)
}

// fold multiplies a and b and folds the product into one word.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// has reports whether h is in the set.
func (s *set) has(h *bittorrent.InfoHash) bool {
	bucket, filter := s.find(h)
	entry := s.index[bucket]
	if entry&filter != filter {
		return false
	}
	hashes := s.hashes[entry>>32 : s.index[bucket+1]>>32]
	for i := range hashes {
		if hashes[i] == *h {
			return true
		}
	}
	return false
}

// bytes returns how much memory the set holds.
func (s *set) bytes() int {
	return bittorrent.InfoHashLen*cap(s.hashes) + 8*cap(s.index)
}
