package tracker

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/httpwire"
)

// maxKeptEntries is how many entries a worker keeps room for: what any scrape by
// info hashes needs, and not what a full one did.
const maxKeptEntries = 1024

func (w *Worker) handleScrape(now time.Duration, client netip.Addr, query, dst []byte) []byte {
	p := &w.t.policy
	f := bittorrent.FailureScrapeOff
	if p.maxScrape > 0 {
		f = httpwire.ParseScrape(query, p.maxScrape, &w.scrape)
	}
	switch {
	case f == bittorrent.FailureNone:
		w.scrapeAsked(now)
	case f == bittorrent.FailureScrapeEmpty && p.maxFullScrape > 0:
		f = w.scrapeAll(now)
	}
	if f != bittorrent.FailureNone {
		w.counts.failed(KindScrape, familyOf(client), f)
		return httpwire.AppendFailure(dst, f, w.interval(), p.minInterval)
	}
	w.counts.scraped(familyOf(client), len(w.entries))
	dst = httpwire.AppendScrapeReply(dst, w.entries, p.minInterval)
	if cap(w.entries) > maxKeptEntries {
		w.entries = nil
	}
	return dst
}

// scrapeAsked fills the entries that the request names. One that is not served
// has zeros.
func (w *Worker) scrapeAsked(now time.Duration) {
	w.entries = w.entries[:0]
	for i := range w.scrape.InfoHashes {
		w.entries = append(w.entries, bittorrent.ScrapeEntry{InfoHash: w.scrape.InfoHashes[i]})
	}
	w.t.store.ScrapeEach(now, w.entries)
	for i := range w.entries {
		if e := &w.entries[i]; !w.t.allows(&e.InfoHash) {
			*e = bittorrent.ScrapeEntry{InfoHash: e.InfoHash}
		}
	}
}

// scrapeAll fills entries of all torrents that are served, in ascending order.
func (w *Worker) scrapeAll(now time.Duration) bittorrent.Failure {
	var whole bool
	w.entries, whole = w.t.store.ScrapeAll(now, w.t.policy.maxFullScrape, w.entries[:0])
	if !whole {
		return bittorrent.FailureScrapeAll
	}
	// One that the list refuses is still there until the next sweep.
	w.entries = slices.DeleteFunc(w.entries, func(e bittorrent.ScrapeEntry) bool { return !w.t.allows(&e.InfoHash) })
	slices.SortFunc(w.entries, func(a, b bittorrent.ScrapeEntry) int { return bytes.Compare(a.InfoHash[:], b.InfoHash[:]) })
	return bittorrent.FailureNone
}
