package swarm

import (
	"time"

	"spate/internal/bittorrent"
)

// ScrapeEach is Scrape for several torrents.
func (s *Store) ScrapeEach(now time.Duration, entries []bittorrent.ScrapeEntry) {
	for len(entries) > 0 {
		some := entries[:min(len(entries), aheadMax)]
		if s.arena.used.Load() >= aheadFrom {
			s.prefetch(some)
		}
		for i := range some {
			s.Scrape(now, &some[i])
		}
		entries = entries[len(some):]
	}
}

// Scrape fills e's counts for e.InfoHash, zeros where the store knows nothing.
func (s *Store) Scrape(_ time.Duration, e *bittorrent.ScrapeEntry) {
	sh, h := s.shard(&e.InfoHash)
	*e = bittorrent.ScrapeEntry{InfoHash: e.InfoHash}
	ln := sh.lanes[0]
	ln.mu.Lock()
	defer ln.mu.Unlock()
	rec, r := sh.findRecord(&e.InfoHash, h)
	if r == nil {
		if _, m := sh.findMemory(&e.InfoHash, h); m != nil {
			e.Downloaded = m.downloaded
		}
		return
	}
	sh.scrape(rec, r, e)
}

// ScrapeAll appends an entry for each torrent that has peers, in no order. It is
// whole unless there were more than limit; then it may have stopped anywhere.
// Each shard's lock is held in turn, for the torrents of that shard.
func (s *Store) ScrapeAll(_ time.Duration, limit int, dst []bittorrent.ScrapeEntry) (_ []bittorrent.ScrapeEntry, whole bool) {
	start := len(dst)
	for i := range s.shards {
		// Before each shard, since a store of millions must not be walked to
		// find out that it is too large.
		if s.torrents.Load() > int64(limit) {
			return dst, false
		}
		dst = s.shards[i].scrapeAll(dst)
	}
	return dst, len(dst)-start <= limit
}

// scrapeAll appends an entry for each of the shard's torrents.
func (sh *shard) scrapeAll(dst []bittorrent.ScrapeEntry) []bittorrent.ScrapeEntry {
	sh.lock()
	defer sh.unlock()
	for rec := range sh.n {
		r := sh.record(rec)
		e := bittorrent.ScrapeEntry{InfoHash: r.hash}
		sh.scrape(rec, r, &e)
		dst = append(dst, e)
	}
	return dst
}

// scrape fills e's counts, which are zero, from a record.
func (sh *shard) scrape(rec uint32, r *record, e *bittorrent.ScrapeEntry) {
	e.Downloaded = r.downloaded
	for _, six := range [2]bool{false, true} {
		var l list
		l.open(sh, rec, r, six)
		e.Complete += l.complete()
		e.Incomplete += l.incomplete()
		e.Downloaders += l.downloaders()
	}
}
