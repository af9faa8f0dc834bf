package swarmtest

import (
	"time"

	"spate/internal/bittorrent"
)

func testExpiry(b *bench) {
	for hash, n := range []int{1, 30, 1200} {
		b.now = 0
		b.store = nil
		b.fill(byte(hash), false, 0, n)
		b.fill(byte(hash), true, 0, n, seeder)
		b.now = 2000 * time.Second
		b.announce(byte(hash), addrPort(false, 0).String())
		b.sweep(nil)
		b.wantScrape(byte(hash), uint32(n), uint32(n), uint32(n), 0)
		b.now = b.cfg.MaxPeerAge
		b.sweep(nil)
		b.wantScrape(byte(hash), uint32(n), uint32(n), uint32(n), 0)
		b.now += time.Second
		b.sweep(nil)
		b.wantScrape(byte(hash), 0, 1, 1, 0)
		b.check()
		b.now += b.cfg.MaxPeerAge
		b.sweep(nil)
		b.wantScrape(byte(hash), 0, 0, 0, 0)
		if s := b.s().Stats(); s.Torrents != 0 || s.ExpiredPeers != uint64(2*n) || s.Passes != 4 {
			b.Fatalf("after everything expired: %+v", s)
		}
		b.check()
	}
}

// testSilence lets much time go by without a sweep.
func testSilence(b *bench) {
	for _, silence := range []time.Duration{4001, 4200, 8000, 8191, 8192, 8193, 8500, 12000, 1 << 20, 1 << 33} {
		b.store = nil
		b.now = 5 * time.Second
		b.fill(1, false, 0, 100)
		b.fill(2, true, 0, 3)
		b.now += silence * time.Second
		b.announce(1, "1.1.1.1:1001")
		b.sweep(nil)
		b.wantScrape(1, 0, 1, 1, 0)
		b.wantScrape(2, 0, 0, 0, 0)
	}
}

func testRemembered(b *bench) {
	b.cfg.DownloadedMemory = time.Hour
	b.announce(1, "1.1.1.1:1001", seeder, event(bittorrent.EventCompleted))
	b.announce(1, "1.1.1.1:1001", event(bittorrent.EventStopped))
	b.wantCounts(0, 0, 1)
	b.wantScrape(1, 0, 0, 0, 1)
	if s := b.s().Stats(); s.Torrents != 0 || s.Remembered != 1 {
		b.Fatalf("a download count is no torrent: %+v", s)
	}
	b.announce(1, "1.1.1.2:1001", event(bittorrent.EventStopped))
	b.wantCounts(0, 0, 1)
	b.now += time.Hour / 2
	b.sweep(nil)
	b.wantScrape(1, 0, 0, 0, 1)
	b.announce(1, "1.1.1.1:1001", seeder, event(bittorrent.EventCompleted))
	b.wantCounts(1, 0, 2)
	if s := b.s().Stats(); s.Torrents != 1 || s.Remembered != 0 {
		b.Fatalf("a torrent is no download count: %+v", s)
	}
	b.now += b.cfg.MaxPeerAge + time.Second
	b.sweep(nil)
	b.wantScrape(1, 0, 0, 0, 2)
	b.now += time.Hour + 2*time.Second
	b.sweep(nil)
	b.wantScrape(1, 0, 0, 0, 0)
	if s := b.s().Stats(); s.Remembered != 0 {
		b.Fatalf("a download count stays: %+v", s)
	}
}

func testForgotten(b *bench) {
	b.cfg.DownloadedMemory = 0
	b.announce(1, "1.1.1.1:1001", seeder, event(bittorrent.EventCompleted))
	b.wantCounts(1, 0, 1)
	b.announce(1, "1.1.1.1:1001", event(bittorrent.EventStopped))
	b.wantScrape(1, 0, 0, 0, 0)
	if s := b.s().Stats(); s.Remembered != 0 {
		b.Fatalf("remembered all the same: %+v", s)
	}
}

func testRefused(b *bench) {
	for hash := range byte(4) {
		for _, v6 := range []bool{false, true} {
			b.fill(hash, v6, 0, []int{1, 10, 200, 1500}[hash])
		}
	}
	b.announce(9, "1.1.1.1:1001", seeder, event(bittorrent.EventCompleted))
	b.announce(9, "1.1.1.1:1001", event(bittorrent.EventStopped))
	b.sweep(func(h *bittorrent.InfoHash) bool { return h[0] < 2 })
	b.wantScrape(1, 0, 20, 20, 0)
	b.wantScrape(2, 0, 0, 0, 0)
	b.wantScrape(9, 0, 0, 0, 0)
	if s := b.s().Stats(); s.Torrents != 2 || s.RefusedPeers != 3400 || s.ExpiredPeers != 0 || s.Remembered != 0 {
		b.Fatalf("after the refusal: %+v", s)
	}
	b.check()
	b.sweep(func(*bittorrent.InfoHash) bool { return false })
	if s := b.s().Stats(); s.Torrents != 0 {
		b.Fatalf("after the refusal of all: %+v", s)
	}
}

func testScrapeUnknown(b *bench) {
	b.wantScrape(1, 0, 0, 0, 0)
	b.announce(2, "1.1.1.1:1001")
	b.wantScrape(1, 0, 0, 0, 0)
}

func testScrapeAll(b *bench) {
	if all, whole := b.s().ScrapeAll(b.now, 0, nil); !whole || len(all) != 0 {
		b.Fatalf("an empty store: %v, whole %v", all, whole)
	}
	b.announce(1, "1.1.1.1:1001", seeder, event(bittorrent.EventCompleted))
	b.announce(1, "[2001:db8::1]:1001", event(bittorrent.EventPaused))
	b.announce(1, "1.1.1.2:1001")
	b.announce(2, "1.1.1.1:1001")
	// A torrent without peers is none, however often it was downloaded.
	b.announce(3, "1.1.1.1:1001", seeder, event(bittorrent.EventCompleted))
	b.announce(3, "1.1.1.1:1001", event(bittorrent.EventStopped))
	earlier := bittorrent.ScrapeEntry{InfoHash: bittorrent.InfoHash{9}}
	all, whole := b.s().ScrapeAll(b.now, 2, []bittorrent.ScrapeEntry{earlier})
	want := map[bittorrent.ScrapeEntry]bool{
		earlier: true,
		{InfoHash: bittorrent.InfoHash{1}, Complete: 1, Incomplete: 2, Downloaders: 1, Downloaded: 1}: true,
		{InfoHash: bittorrent.InfoHash{2}, Incomplete: 1, Downloaders: 1}:                             true,
	}
	for _, e := range all {
		if !want[e] {
			b.Errorf("%+v is twice or wrong", e)
		}
		delete(want, e)
	}
	if !whole || len(want) > 0 {
		b.Fatalf("whole %v, without %+v", whole, want)
	}
	if _, whole := b.s().ScrapeAll(b.now, 1, nil); whole {
		b.Fatal("two torrents are within a limit of one")
	}
}

func testMaxTorrents(b *bench) {
	b.cfg.MaxTorrents = 3
	for hash := range byte(3) {
		b.announce(hash, "1.1.1.1:1001")
	}
	if _, failure := b.try(3, "1.1.1.1:1001"); failure != bittorrent.FailureFull {
		b.Fatalf("a torrent too many: %q, want %q", failure.Reason(), bittorrent.FailureFull.Reason())
	}
	b.announce(0, "1.1.1.2:1001")
	b.wantCounts(0, 2, 0)
	if _, failure := b.try(4, "1.1.1.1:1001", event(bittorrent.EventStopped)); failure != bittorrent.FailureNone {
		b.Fatalf("a stopped of an unknown torrent is no new torrent: %q", failure.Reason())
	}
	b.announce(1, "1.1.1.1:1001", event(bittorrent.EventStopped))
	b.announce(3, "1.1.1.1:1001")
	if s := b.s().Stats(); s.Torrents != 3 || s.RefusedTorrents != 1 {
		b.Fatalf("stats: %+v", s)
	}
}

func testStats(b *bench) {
	b.announce(1, "1.1.1.1:1001", seeder)
	b.announce(1, "1.1.1.2:1001")
	b.announce(1, "1.1.1.3:1")
	b.announce(1, "[2001:db8::1]:0", seeder)
	b.announce(2, "[2001:db8::1]:2000", event(bittorrent.EventPaused))
	s := b.s().Stats()
	if s.Torrents != 2 || s.Seeders != 2 || s.Leechers != 3 || s.Peers4 != 3 || s.Peers6 != 2 {
		b.Fatalf("stats: %+v", s)
	}
	b.announce(1, "1.1.1.1:1001")
	b.announce(1, "[2001:db8::1]:0", event(bittorrent.EventStopped))
	s = b.s().Stats()
	if s.Torrents != 2 || s.Seeders != 0 || s.Leechers != 4 || s.Peers4 != 3 || s.Peers6 != 1 {
		b.Fatalf("stats: %+v", s)
	}
}
