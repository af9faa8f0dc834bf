package swarm

import (
	"sync"

	"spate/internal/bittorrent"
)

// laneCount is how many can read one shard at the same time. Whoever changes it takes
// as many locks.
const laneCount = 2

// A lane is one of a shard's locks. Holding any of them keeps what is in the shard
// where and as it is, but for the ticks of marks, which renew sets. Changing the shard
// takes all of them. A caller holds lanes of at most one shard.
//
// So renewals, most of all announces, do not wait for each other, not even those of one
// torrent; and what one lane's holders write to is near nothing that others read. The
// lanes are no part of their shards for that reason: processors fetch neighbouring
// lines as well, and two cores, each with a lane of its own within the shard, were no
// faster than one (BenchmarkAnnounceHotParallel).
type lane struct {
	mu  sync.Mutex
	rng random
	_   [64 - 16]byte
}

// addLanes gives each shard its lanes. Those of one number lie together, since the
// same callers use them.
func (s *Store) addLanes() {
	for j := range laneCount {
		lanes := make([]lane, len(s.shards))
		for i := range lanes {
			lanes[i].rng = random(s.keys.pair(uint64(i), uint64(j)+1) | 1)
			s.shards[i].lanes[j] = &lanes[i]
		}
	}
}

// lock takes all lanes.
func (sh *shard) lock() {
	for _, ln := range sh.lanes {
		ln.mu.Lock()
	}
}

// unlock gives all lanes back.
func (sh *shard) unlock() {
	for _, ln := range sh.lanes {
		ln.mu.Unlock()
	}
}

// rng returns the random numbers of a caller who has all lanes.
func (sh *shard) rng() *random { return &sh.lanes[0].rng }

// enter takes one lane: the one that the reply's owner had last, or, where that is
// taken, the next one, which it then keeps to. So callers come apart and stay so.
func (sh *shard) enter(r *bittorrent.AnnounceReply) *lane {
	ln := sh.lanes[r.Lane%laneCount]
	if !ln.mu.TryLock() {
		r.Lane++
		ln = sh.lanes[r.Lane%laneCount]
		ln.mu.Lock()
	}
	return ln
}

// widen takes the other lanes as well, for a caller who has one. It reports false where
// one of them is taken: waiting for it might be for somebody who waits for ours.
func (sh *shard) widen(mine *lane) bool {
	for i, ln := range sh.lanes {
		if ln != mine && !ln.mu.TryLock() {
			for _, ln := range sh.lanes[:i] {
				if ln != mine {
					ln.mu.Unlock()
				}
			}
			return false
		}
	}
	return true
}
