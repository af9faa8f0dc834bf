package tracker

import (
	"net/netip"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/httpwire"
)

func (w *Worker) handleScrape(now time.Duration, client netip.Addr, query, dst []byte) []byte {
	p := &w.t.policy
	f := bittorrent.FailureScrapeOff
	if p.maxScrape > 0 {
		f = httpwire.ParseScrape(query, p.maxScrape, &w.scrape)
	}
	var full *fullScrape
	if f == bittorrent.FailureScrapeEmpty && p.maxFullScrape > 0 {
		full = w.t.full.answer(now)
		f = full.failure
	}
	switch {
	case f != bittorrent.FailureNone:
		w.counts.failed(KindScrape, familyOf(client), f)
		return httpwire.AppendFailure(dst, f, w.interval(), p.minInterval)
	case full != nil:
		w.counts.scraped(familyOf(client), full.torrents)
		return append(dst, full.body...)
	}
	w.scrapeAsked(now)
	w.counts.scraped(familyOf(client), len(w.entries))
	return httpwire.AppendScrapeReply(dst, w.entries, p.minInterval)
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
