package swarm

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"spate/internal/bittorrent"
)

// A hasher is a keyed hash for short inputs: two rounds of multiply-and-fold
// with secret operands. Info hashes and addresses are chosen by strangers, so
// the key is a new one for each process, and nothing of it is ever shown.
type hasher [4]uint64

// newHasher derives a hasher from a seed, 0 for a random one.
func newHasher(seed uint64) hasher {
	next := rand.Uint64
	if seed != 0 {
		next = rand.New(rand.NewPCG(seed, 0)).Uint64
	}
	return hasher{next(), next() | 1, next(), next() | 1}
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// pair hashes two words.
func (k *hasher) pair(a, b uint64) uint64 {
	return fold(fold(a^k[0], b^k[1])^k[2], k[3])
}

// infoHash hashes an info hash.
func (k *hasher) infoHash(h *bittorrent.InfoHash) uint64 {
	a := binary.LittleEndian.Uint64(h[0:])
	b := binary.LittleEndian.Uint64(h[8:])
	c := binary.LittleEndian.Uint32(h[16:])
	return fold(fold(a^k[0], b^k[1])^k[2]^uint64(c), k[3])
}

// shardOf spreads a hash over 2^bits shards by all its bits, so that those of
// one shard still differ in their first ones, which choose an index page.
func shardOf(h uint64, shardBits uint) uint64 {
	return h * 0x9e3779b97f4a7c15 >> 1 >> (63 - shardBits)
}
