package access

import (
	"hash/maphash"
	"math/bits"
	"slices"

	"spate/internal/bittorrent"
)

// perBucket is how many hashes share a bucket on average. At 4 the index costs
// 1 byte a hash, so that for a million of them it stays in the second-level
// cache, and a look-up waits for main memory once, for the bucket itself: two
// neighbouring lines. A table with open addressing needs no index, but a third
// of its slots empty, 30 bytes a hash, and waits as long.
// BenchmarkAllows shows it.
const perBucket = 4

// set is an immutable set of info hashes: all of them in one slice, ordered by
// bucket, with an index of where each bucket begins. It holds 21 bytes a hash
// and no pointers but the two slices.
//
//	starts   0 | 3 | 3 | 8 | …             len = buckets + 1
//	hashes   a b c | | d e f g h | …       bucket i = hashes[starts[i]:starts[i+1]]
type set struct {
	// seed makes buckets unpredictable: list files have been seen with hashes
	// that differ in their last digits only.
	seed   maphash.Seed
	starts []uint32
	hashes []bittorrent.InfoHash
}

// newSet returns the set of hashes, which may repeat, and of which there are
// fewer than 2³². It keeps nothing of the slice.
func newSet(hashes []bittorrent.InfoHash) *set {
	buckets := len(hashes)/perBucket + 1
	s := &set{
		seed:   maphash.MakeSeed(),
		starts: make([]uint32, buckets+1),
		hashes: make([]bittorrent.InfoHash, len(hashes)),
	}
	// A counting sort by bucket. While it places, starts[i+1] is where bucket
	// i's next hash goes, and so ends up where bucket i+1 begins.
	for i := range hashes {
		if b := s.bucket(&hashes[i]) + 2; b < len(s.starts) {
			s.starts[b]++
		}
	}
	for i := 2; i < len(s.starts); i++ {
		s.starts[i] += s.starts[i-1]
	}
	for i := range hashes {
		next := &s.starts[s.bucket(&hashes[i])+1]
		s.hashes[*next] = hashes[i]
		*next++
	}
	s.compact()
	return s
}

// compact removes the hashes that come more than once.
func (s *set) compact() {
	kept := s.hashes[:0]
	begin := uint32(0)
	for b := range len(s.starts) - 1 {
		end := s.starts[b+1]
		first := len(kept)
		for _, h := range s.hashes[begin:end] {
			if !slices.Contains(kept[first:], h) {
				kept = append(kept, h)
			}
		}
		begin = end
		s.starts[b+1] = uint32(len(kept))
	}
	if len(kept) < len(s.hashes) {
		kept = slices.Clone(kept)
	}
	s.hashes = slices.Clip(kept)
}

// bucket returns the bucket that h belongs to.
func (s *set) bucket(h *bittorrent.InfoHash) int {
	// The high word of the product spreads the hash over the buckets without
	// a division, whatever their number.
	hi, _ := bits.Mul64(maphash.Bytes(s.seed, h[:]), uint64(len(s.starts)-1))
	return int(hi)
}

// has reports whether h is in the set.
func (s *set) has(h *bittorrent.InfoHash) bool {
	b := s.bucket(h)
	hashes := s.hashes[s.starts[b]:s.starts[b+1]]
	for i := range hashes {
		if hashes[i] == *h {
			return true
		}
	}
	return false
}
