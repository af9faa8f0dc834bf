package swarm

import (
	"unsafe"

	"spate/internal/bittorrent"
)

const (
	// prefetchFrom is the number of peers from which a list is asked for ahead. What
	// a near cache holds is there before the asking is done.
	prefetchFrom = 1 << 17
	// prefetchLine is the cache line of most processors. With longer ones a line is
	// asked for twice.
	prefetchLine = 64
	// prefetchMax bounds the lines for one part: a processor has about as many reads
	// under way.
	prefetchMax = 16
	// aheadFrom is the number of pages in use from which scrapes ask ahead: near caches
	// hold no more.
	aheadFrom = 16 << 20 / pageSize
	// aheadMax is how many torrents are asked for at once.
	aheadMax = 16
)

// prefetch asks for the records of several torrents, first where the index has them and
// then for themselves, so that each of these reads waits together with the others'.
func (s *Store) prefetch(entries []bittorrent.ScrapeEntry) {
	for _, record := range [2]bool{false, true} {
		for i := range entries {
			sh, h := s.shard(&entries[i].InfoHash)
			sh.prefetch(h, record)
		}
	}
}

// prefetch asks for the index's slot of a torrent, or for its record.
func (sh *shard) prefetch(h uint64, record bool) {
	ln := sh.lanes[0]
	if !ln.mu.TryLock() {
		return
	}
	defer ln.mu.Unlock()
	slots := sh.index.slots(sh.arena, h)
	if slots == nil {
		return
	}
	if !record {
		prefetchLines(unsafe.Pointer(&slots[home(h, len(slots))]), 1)
	} else if rec, ok := guess(slots, h); ok {
		prefetchLines(unsafe.Pointer(sh.record(rec)), 1)
	}
}

// prefetch asks for what an announce to a big list is about to read: where the index
// has the peer, and which peers sample is going to draw. The processor would come to
// these one after the other, and wait for main memory each time. It is a hint: a wrong
// one costs time only.
func (l *list) prefetch(a *bittorrent.Announce, h uint64, rng *random) {
	s := l.indexSlots(h)
	prefetchLines(unsafe.Pointer(&s[home(h, len(s))]), 1)
	for _, w := range l.foretell(a, *rng) {
		if w.peers > 0 {
			from := l.wire(w.from)
			prefetchLines(unsafe.Pointer(&from[0]), min(w.peers*l.width/prefetchLine, prefetchMax)+1)
		}
	}
}

// A window is a run of positions in a list.
type window struct{ from, peers uint32 }

// foretell returns about where take is going to draw peers of each part for an
// announce, which it does with the same random numbers. What is about it: the
// announcing peer, which take leaves out, may yet change parts, and where a window
// goes around the end of its part the rest is left out.
func (l *list) foretell(a *bittorrent.Announce, rng random) (windows [partMute]window) {
	mask := partsFor(a)
	total, want := l.sumOf(mask), uint32(a.NumWant)
	if total == 0 || want == 0 {
		return windows
	}
	rng.below(total)
	start := uint32(0)
	for part := range partMute {
		n := l.n[part]
		if mask>>part&1 != 0 && n > 0 {
			windows[part] = window{start + rng.below(n), uint32(uint64(n)*uint64(want)/uint64(total)) + 1}
		}
		start += n
	}
	return windows
}

// prefetchPeer asks for the peer at a position of a big list.
func (l *list) prefetchPeer(at uint32) {
	p, wireAt, markAt := l.segment(at)
	prefetchLines(unsafe.Pointer(&p[wireAt]), 1)
	prefetchLines(unsafe.Pointer(&p[markAt]), 1)
}
