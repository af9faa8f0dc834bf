package swarm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"spate/internal/bittorrent"
)

// SetSliceBudget makes the slices of a sweep shorter or longer.
func (s *Store) SetSliceBudget(n int) { s.sliceBudget = n }

// SetMaxPeers lowers how many peers of a family a torrent may have.
func (s *Store) SetMaxPeers(n uint32) { s.maxPeers = n }

// Oldest returns the age of the peer that announced longest ago, in whole ticks.
func (s *Store) Oldest(now time.Duration) (oldest time.Duration) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.lock()
		sh.setNow(s.ticks(now))
		for rec := range sh.n {
			for _, six := range [2]bool{false, true} {
				var l list
				l.open(sh, rec, sh.record(rec), six)
				for at := range l.size {
					oldest = max(oldest, time.Duration(sh.age(l.mark(at)))*s.tick)
				}
			}
		}
		sh.unlock()
	}
	return oldest
}

// CheckPages compares the pages in use with those that the shards know. Nobody
// may use the store meanwhile.
func (s *Store) CheckPages() error {
	seen := map[uint32]bool{}
	twice := 0
	note := func(pages []uint32) {
		for _, p := range pages {
			if seen[p] {
				twice++
			}
			seen[p] = true
		}
	}
	directory := func(d *directory) {
		last := ^uint32(0)
		for _, p := range d.pages {
			if p != last {
				note([]uint32{p})
			}
			last = p
		}
	}
	for i := range s.shards {
		sh := &s.shards[i]
		note(sh.records)
		note(sh.memories)
		directory(&sh.index)
		directory(&sh.memoryIndex)
		for j := range sh.slabs {
			note(sh.slabs[j].pages)
		}
		for j := range sh.bigs {
			note(sh.bigs[j].numbers)
			directory(&sh.bigs[j].index)
		}
	}
	if used := s.arena.used.Load(); int64(len(seen)) != used || twice > 0 {
		return fmt.Errorf("%d pages in use, the shards know %d, %d of them twice", used, len(seen), twice)
	}
	seen[0] = true // it is never handed out
	free := 0
	for r := range s.arena.info {
		info := &s.arena.info[r]
		for p := range uint32(regionPages) {
			if isFree := info.free[p/64]>>(p%64)&1 == 1; isFree == seen[uint32(r)*regionPages+p] {
				return fmt.Errorf("page %d of region %d: free %v", p, r, isFree)
			} else if isFree {
				free++
			}
		}
	}
	if have := s.arena.free.Load(); have != int64(free) {
		return fmt.Errorf("%d free pages, counted as %d", free, have)
	}
	return nil
}

// WithChecksums corrects the checksums of what may be a snapshot, so that a
// fuzzer gets past them.
func WithChecksums(b []byte) []byte {
	out := bytes.Clone(b)
	for at := headerSize; at+frameHeadSize <= len(out); {
		n := int(binary.LittleEndian.Uint32(out[at:]))
		if n == 0 {
			binary.LittleEndian.PutUint32(out[at+4:], crc32.Checksum(out[:headerSize], castagnoli))
		}
		if n == 0 || n > maxFrame || at+frameHeadSize+n > len(out) {
			break
		}
		binary.LittleEndian.PutUint32(out[at+4:], crc32.Checksum(out[at+frameHeadSize:][:n], castagnoli))
		at += frameHeadSize + n
	}
	return out
}

// Trimming reports whether the next slice of a sweep gives memory back, under no
// shard's lock.
func (s *Store) Trimming() bool { return s.sweep.next == len(s.shards) }

// AllocAlone takes pages that nobody has seen to in advance.
func (s *Store) AllocAlone(n int) {
	pages := make([]uint32, n)
	for i := range pages {
		pages[i] = s.arena.alloc()
	}
	for _, p := range pages {
		s.arena.release(p)
	}
}

// ShardOf returns the number of an info hash's shard.
func (s *Store) ShardOf(hash bittorrent.InfoHash) int {
	return int(shardOf(s.keys.infoHash(&hash), s.shardBits))
}

// PrefetchFrom is how many peers of a family an announce asks ahead from.
const PrefetchFrom = prefetchFrom

// AheadFrom is the memory in use, in bytes, from which scrapes ask ahead.
const AheadFrom = aheadFrom * pageSize

// Foretell returns the compact form of the first peer of each part that an announce is
// expected to get next.
func (s *Store) Foretell(a *bittorrent.Announce) (first [][]byte) {
	sh, h := s.shard(&a.InfoHash)
	sh.lock()
	defer sh.unlock()
	rec, torrent := sh.findRecord(&a.InfoHash, h)
	var l list
	l.open(sh, rec, torrent, a.Addr.Is6())
	for _, w := range l.foretell(a, *sh.rng()) {
		if w.peers > 0 {
			first = append(first, bytes.Clone(l.wire(w.from)))
		}
	}
	return first
}
