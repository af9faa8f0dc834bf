package tracker_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/httpwire"
	"spate/internal/swarm"
	"spate/internal/tracker"
)

func TestFullScrape(t *testing.T) {
	cfg := steady()
	cfg.MaxFullScrapeTorrents = 3
	refused := refusing{}
	f := newFixture(t, cfg, refused)
	const flags = "e5:flagsd20:min_request_intervali4eee"
	f.want(f.get("10.0.0.9", "/scrape"), "d5:filesd"+flags)

	f.announce("10.0.0.1", 'c', 6881, "")
	f.announce("10.0.0.2", 'a', 6881, "")
	f.announce("10.0.0.1", 'x', 6881, "")
	refused[bittorrent.InfoHash([]byte(hash('x')))] = true
	file := func(c byte) string {
		return "20:" + hash(c) + "d8:completei0e10:downloadedi0e11:downloadersi1e10:incompletei1ee"
	}
	all := "d5:filesd" + file('a') + file('c') + flags
	f.now += time.Minute // the empty answer is of no use any more
	f.want(f.get("10.0.0.9", "/scrape"), all)
	f.want(f.get("10.0.0.9", "/scrape?key=1"), all)
	f.want(f.get("10.0.0.9", "/scrape?info_hash="+hash('c')), "d5:filesd"+file('c')+flags)
	// The reply that says what is wrong with an info hash is not all torrents.
	f.get("10.0.0.9", "/scrape?info_hash=short")
	if c := f.Counters(); c.Scrapes[tracker.FamilyIPv4] != 4 || c.ScrapedTorrents != 5 ||
		c.Failures[tracker.KindScrape][tracker.FamilyIPv4][bittorrent.FailureInfoHashLength] != 1 {
		t.Errorf("counted %+v", c)
	}

	f.announce("10.0.0.1", 'd', 6881, "")
	f.now += time.Minute
	reason := bittorrent.FailureScrapeAll.Reason()
	f.want(f.get("10.0.0.9", "/scrape"), fmt.Sprintf("d14:failure reason%d:%s8:intervali8e12:min intervali4ee", len(reason), reason))
}

func TestNoScrapesMeansNoFullOnes(t *testing.T) {
	cfg := steady()
	cfg.MaxScrapeTorrents, cfg.MaxFullScrapeTorrents = 0, 3
	f := newFixture(t, cfg, nil)
	f.get("10.0.0.9", "/scrape?info_hash="+hash('a'))
	f.get("10.0.0.9", "/scrape")
	if n := f.Counters().Failures[tracker.KindScrape][tracker.FamilyIPv4][bittorrent.FailureScrapeOff]; n != 2 {
		t.Errorf("%d of two scrapes were refused", n)
	}
}

// A slowStore takes as long for all of its torrents as its clock is told, and counts.
type slowStore struct {
	tracker.Store
	clock *atomic.Int64
	takes time.Duration
	made  atomic.Int32
}

func (s *slowStore) ScrapeAll(_ time.Duration, _ int, dst []bittorrent.ScrapeEntry) ([]bittorrent.ScrapeEntry, bool) {
	s.clock.Add(int64(s.takes))
	return append(dst, bittorrent.ScrapeEntry{Complete: uint32(s.made.Add(1))}), true
}

// TestFullScrapesShareTheirCost: whoever asks, and however often, a tenth of the time is
// spent on making answers, and none is older than it was made.
func TestFullScrapesShareTheirCost(t *testing.T) {
	for _, takes := range []time.Duration{0, 46 * time.Millisecond, 700 * time.Millisecond} {
		var clock atomic.Int64
		store := &slowStore{clock: &clock, takes: takes}
		cfg := steady()
		cfg.MaxFullScrapeTorrents = 1
		cfg.Clock = func() time.Duration { return time.Duration(clock.Load()) }
		tr, err := tracker.New(cfg, store, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var preparing sync.WaitGroup
		preparing.Go(func() { tr.PrepareScrapes(ctx) })
		const span, workers, gap = 5 * time.Minute, 4, 20 * time.Millisecond
		var all []*tracker.Worker
		for range workers {
			all = append(all, tr.NewWorker())
		}
		asked := 0
		for i := 0; cfg.Clock() < span; i++ {
			now := cfg.Clock()
			body, _ := all[i%workers].Handle(now, netip.MustParseAddr("192.0.2.1"), []byte("/scrape"), nil, nil)
			entries, err := httpwire.ParseScrapeReply(body, nil)
			if err != nil || len(entries) != 1 {
				t.Fatalf("%q: %v", body, err)
			}
			asked++
			clock.Add(int64(gap))
		}
		cancel()
		preparing.Wait()
		made := int(store.made.Load())
		if most := int(cfg.Clock() / max(10*takes, time.Second+takes)); made > most+1 || made < 2 {
			t.Errorf("of %v for an answer, %d were made for %d requests within %v, want up to %d", takes, made, asked, span, most)
		}
	}
}

// TestFullScrapeAfterAPause: while there is demand an answer is given that is being
// replaced. After a pause it is not: it may be of any age.
func TestFullScrapeAfterAPause(t *testing.T) {
	var clock atomic.Int64
	store := &slowStore{clock: &clock}
	cfg := steady()
	cfg.MaxFullScrapeTorrents = 1
	tr, err := tracker.New(cfg, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := tr.NewWorker()
	for _, step := range []struct {
		at   time.Duration
		made uint32
	}{
		{0, 1}, {900 * time.Millisecond, 1}, {2 * time.Second, 1}, {10 * time.Second, 1}, {12 * time.Second, 2}, {12500 * time.Millisecond, 2},
	} {
		body, _ := w.Handle(step.at, netip.MustParseAddr("192.0.2.1"), []byte("/scrape"), nil, nil)
		entries, err := httpwire.ParseScrapeReply(body, nil)
		if err != nil || len(entries) != 1 || entries[0].Complete != step.made {
			t.Errorf("at %v: %+v (%v), want answer %d", step.at, entries, err, step.made)
		}
	}
}

// BenchmarkFullScrape is a scrape of as many torrents as one is answered for: the answer
// made anew each time, and given again.
func BenchmarkFullScrape(b *testing.B) {
	store, err := swarm.New(swarm.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	cfg := tracker.Default()
	cfg.MaxFullScrapeTorrents = tracker.MaxFullScrapeLimit
	tr, err := tracker.New(cfg, store, nil)
	if err != nil {
		b.Fatal(err)
	}
	a := bittorrent.Announce{Addr: netip.MustParseAddr("198.18.0.1"), Port: 6881}
	var r bittorrent.AnnounceReply
	for i := range tracker.MaxFullScrapeLimit {
		binary.BigEndian.PutUint64(a.InfoHash[:], uint64(i+1)*0x9e3779b97f4a7c15)
		store.Announce(0, &a, &r)
	}
	w := tr.NewWorker()
	now := time.Second
	for _, again := range []struct {
		name  string
		after time.Duration
	}{{"anew", time.Hour}, {"again", 0}} {
		b.Run(again.name, func(b *testing.B) {
			var body []byte
			for b.Loop() {
				now += again.after
				body, _ = w.Handle(now, a.Addr, []byte("/scrape"), nil, body[:0])
			}
			b.SetBytes(int64(len(body)))
		})
	}
}
