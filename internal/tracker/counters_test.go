package tracker_test

import (
	"sync"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/tracker"
)

func TestCountersByEventAndFamily(t *testing.T) {
	f := newFixture(t, steady(), nil)
	for event, n := range map[string]int{"": 1, "&event=started": 2, "&event=completed": 3, "&event=paused": 4, "&event=stopped": 5} {
		for range n {
			f.announce("10.0.0.1", 'a', 6881, event)
			f.announce("fd00::1", 'a', 6881, event)
			f.announce("fd00::1", 'a', 6881, event)
		}
	}
	f.get("10.0.0.1", "/scrape?info_hash="+hash('a')+"&info_hash="+hash('b'))
	f.get("::ffff:10.0.0.1", "/scrape?info_hash="+hash('a'))
	c := f.Counters()
	for e, want := range map[bittorrent.Event]uint64{
		bittorrent.EventNone: 1, bittorrent.EventStarted: 2, bittorrent.EventCompleted: 3, bittorrent.EventPaused: 4, bittorrent.EventStopped: 5,
	} {
		if v4, v6 := c.Announces[tracker.FamilyIPv4][e], c.Announces[tracker.FamilyIPv6][e]; v4 != want || v6 != 2*want {
			t.Errorf("event %s: %d and %d, want %d and %d", tracker.EventLabel(e), v4, v6, want, 2*want)
		}
	}
	if c.Scrapes != [tracker.FamilyCount]uint64{2, 0} || c.ScrapedTorrents != 3 {
		t.Errorf("scrapes %v of %d torrents, want 2 and 0 of 3", c.Scrapes, c.ScrapedTorrents)
	}
	if n := c.Requests(tracker.KindAnnounce, tracker.FamilyIPv6); n != 30 {
		t.Errorf("%d IPv6 announces, want 30", n)
	}
}

// TestCountersSumWorkers reads the counters while workers count, which the
// race detector watches.
func TestCountersSumWorkers(t *testing.T) {
	f := newFixture(t, steady(), nil)
	const workers, requests = 4, 500
	var wg sync.WaitGroup
	for range workers {
		g := *f
		g.worker = f.NewWorker()
		wg.Go(func() {
			for range requests {
				g.get("10.0.0.1", "/scrape?info_hash="+hash('a'))
			}
		})
	}
	for range 100 {
		if n := f.Counters().Scrapes[tracker.FamilyIPv4]; n > workers*requests {
			t.Errorf("%d scrapes counted, more than there are", n)
		}
	}
	wg.Wait()
	if n := f.Counters().Scrapes[tracker.FamilyIPv4]; n != workers*requests {
		t.Errorf("%d scrapes counted, want %d", n, workers*requests)
	}
	each := f.WorkerCounters()
	if len(each) != workers+1 || each[0].Scrapes[0] != 0 || each[workers].Scrapes[0] != requests {
		t.Errorf("workers' own counters: %d of them", len(each))
	}
}

func TestLatencyIsSampled(t *testing.T) {
	cfg := steady()
	var clock, step time.Duration
	cfg.Clock = func() time.Duration { clock += step; return clock }
	f := newFixture(t, cfg, nil)
	var want tracker.Latency
	for _, tc := range []struct {
		took   time.Duration
		bucket int
	}{
		{0, 0},
		{1, 0},
		{250, 0},
		{251, 1},
		{500, 1},
		{501, 2},
		{1000, 2},
		{1001, 3},
		{tracker.LatencyBound(19), 19},
		{tracker.LatencyBound(19) + 1, 20},
		{time.Hour, 20},
		{-time.Second, 0},
	} {
		step = tc.took
		for range tracker.LatencySampling {
			f.get("10.0.0.1", "/scrape?info_hash="+hash('a'))
		}
		want.Buckets[tc.bucket]++
		want.Sum += max(tc.took, 0)
		if got := f.Counters().Latency; got != want {
			t.Fatalf("after %v: %+v, want %+v", tc.took, got, want)
		}
	}
	if b := tracker.LatencyBound(2); b != time.Microsecond {
		t.Errorf("the third bound is %v, want 1 µs", b)
	}
}

func TestLabelsAreDistinctWords(t *testing.T) {
	seen := map[string]bool{}
	add := func(label string) {
		if label == "" || seen[label] {
			t.Errorf("label %q is empty or comes twice", label)
		}
		seen[label] = true
	}
	for k := range tracker.KindCount {
		add(k.Label())
	}
	for f := range tracker.FamilyCount {
		add(f.Label())
	}
	for e := range tracker.EventCount {
		add(tracker.EventLabel(bittorrent.Event(e)))
	}
}
