package tracker_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"spate/internal/bittorrent"
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

// BenchmarkFullScrape is a scrape of as many torrents as one is answered for.
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
	for b.Loop() {
		body, _ := w.Handle(time.Second, a.Addr, []byte("/scrape"), nil, nil)
		b.SetBytes(int64(len(body)))
	}
}
