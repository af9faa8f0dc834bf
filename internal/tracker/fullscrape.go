package tracker

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/httpwire"
)

const (
	// fullScrapeLife is for how long an answer to full scrapes is fresh at least.
	fullScrapeLife = time.Second
	// fullScrapeShare is one part of the time, of so many, that answers are made in at
	// most.
	fullScrapeShare = 10
	// fullScrapePatience is for how long one that is no longer fresh is given while
	// the next is made. Who asks after a longer pause waits for that.
	fullScrapePatience = 10 * time.Second
)

// fullScrapes makes answers to scrapes without an info hash, which name all torrents.
// Each costs as much as thousands of announces, and anybody may ask: so one answer is
// for all who ask within a time that grows with what it took to make. While there is
// demand it is made anew by prepare, beside the loops.
type fullScrapes struct {
	t      *Tracker
	wanted chan struct{} // holds one when the next answer is to be made
	last   atomic.Pointer[fullScrape]
	making sync.Mutex // held while an answer is made
}

// A fullScrape is an answer to full scrapes. It does not change.
type fullScrape struct {
	body     []byte
	torrents int
	failure  bittorrent.Failure // instead of a body
	fresh    time.Duration      // until then nothing newer is made
}

// answer returns an answer that was fresh within fullScrapePatience before now.
func (f *fullScrapes) answer(now time.Duration) *fullScrape {
	last := f.last.Load()
	switch {
	case last == nil || now >= last.fresh+fullScrapePatience:
		return f.make(now)
	case now >= last.fresh:
		select {
		case f.wanted <- struct{}{}:
		default: // it is to be made already
		}
	}
	return last
}

// make makes the next answer, unless there is one by now that is fresh.
func (f *fullScrapes) make(now time.Duration) *fullScrape {
	f.making.Lock()
	defer f.making.Unlock()
	if last := f.last.Load(); last != nil && now < last.fresh {
		return last
	}
	p := &f.t.policy
	start := p.clock()
	next := new(fullScrape)
	entries, whole := f.t.store.ScrapeAll(now, p.maxFullScrape, nil)
	if !whole {
		next.failure = bittorrent.FailureScrapeAll
	} else {
		// One that the list refuses is still there until the next sweep.
		entries = slices.DeleteFunc(entries, func(e bittorrent.ScrapeEntry) bool { return !f.t.allows(&e.InfoHash) })
		slices.SortFunc(entries, func(a, b bittorrent.ScrapeEntry) int { return bytes.Compare(a.InfoHash[:], b.InfoHash[:]) })
		next.body = httpwire.AppendScrapeReply(nil, entries, p.minInterval)
		next.torrents = len(entries)
	}
	took := p.clock() - start
	next.fresh = now + took + max(fullScrapeLife, (fullScrapeShare-1)*took)
	f.last.Store(next)
	return next
}

// PrepareScrapes makes answers to full scrapes while they are asked for, until ctx is
// done. Without it they are made by who asks.
func (t *Tracker) PrepareScrapes(ctx context.Context) {
	for {
		select {
		case <-t.full.wanted:
			t.full.make(t.policy.clock())
		case <-ctx.Done():
			return
		}
	}
}
