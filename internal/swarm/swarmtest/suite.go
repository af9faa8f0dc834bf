package swarmtest

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
)

// Config returns the configuration that the suite starts from: one tick of the
// store's clock is exactly a second, so that ages are exact to the second.
func Config() swarm.Config {
	cfg := swarm.DefaultConfig()
	cfg.MaxPeerAge = 4000 * time.Second
	cfg.Seed = 1
	return cfg
}

// A New makes an empty store of a configuration.
type New func(t testing.TB, cfg swarm.Config) Store

// Run runs the conformance suite: how swarms behave, rule by rule (docs/protocol.md).
func Run(t *testing.T, open New) {
	for _, test := range []struct {
		name string
		run  func(*bench)
	}{
		{"identity", testIdentity},
		{"families share a torrent", testFamilies},
		{"own family first", testOwnFamilyFirst},
		{"never self", testNeverSelf},
		{"numwant is exact", testNumWant},
		{"in proportion", testProportion},
		{"seeders get leechers", testSeederGetsLeechers},
		{"seeders without leechers", testSeederWithoutLeechers},
		{"stopped", testStopped},
		{"completed once", testCompletedOnce},
		{"paused", testPaused},
		{"ports 0 and 1", testMutePorts},
		{"records per address", testPerAddress},
		{"records per address within a moment", testPerAddressAtOnce},
		{"records per /64", testPerPrefix},
		{"exempt addresses", testExempt},
		{"no limit per address", testNoLimit},
		{"hide private", testHidePrivate},
		{"expiry", testExpiry},
		{"expiry after a long silence", testSilence},
		{"downloaded is remembered", testRemembered},
		{"downloaded is forgotten", testForgotten},
		{"refused hashes", testRefused},
		{"scrape of the unknown", testScrapeUnknown},
		{"scrape of all", testScrapeAll},
		{"max torrents", testMaxTorrents},
		{"stats", testStats},
		{"seeder and back", testFlip},
		{"large swarm comes and goes", testLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := &bench{T: t, open: open, cfg: Config()}
			test.run(b)
			b.check()
		})
	}
}

// A bench is one test's store with short words for what tests do all the time.
type bench struct {
	*testing.T
	open  New
	cfg   swarm.Config
	store Store // made by the first announce, so that a test can change cfg
	now   time.Duration
	reply bittorrent.AnnounceReply
}

func (b *bench) s() Store {
	if b.store == nil {
		b.store = b.open(b.T, b.cfg)
	}
	return b.store
}

func (b *bench) check() {
	b.Helper()
	if err := b.s().CheckInvariants(); err != nil {
		b.Fatalf("CheckInvariants: %v", err)
	}
}

// announce announces with the defaults: no event, 50 peers.
func (b *bench) announce(hash byte, peer string, change ...func(*bittorrent.Announce)) *bittorrent.AnnounceReply {
	b.Helper()
	r, failure := b.try(hash, peer, change...)
	if failure != bittorrent.FailureNone {
		b.Fatalf("announce of %s failed: %s", peer, failure.Reason())
	}
	return r
}

func (b *bench) try(hash byte, peer string, change ...func(*bittorrent.Announce)) (*bittorrent.AnnounceReply, bittorrent.Failure) {
	ap := netip.MustParseAddrPort(peer)
	a := bittorrent.Announce{InfoHash: bittorrent.InfoHash{hash}, Addr: ap.Addr(), Port: ap.Port(), NumWant: 50}
	for _, c := range change {
		c(&a)
	}
	failure := b.s().Announce(b.now, &a, &b.reply)
	return &b.reply, failure
}

func (b *bench) sweep(allowed func(*bittorrent.InfoHash) bool) {
	for b.s().Sweep(b.now, allowed) {
	}
}

func (b *bench) scrape(hash byte) bittorrent.ScrapeEntry {
	e := bittorrent.ScrapeEntry{InfoHash: bittorrent.InfoHash{hash}, Complete: 99, Incomplete: 99, Downloaders: 99, Downloaded: 99}
	b.s().Scrape(b.now, &e)
	return e
}

// wantScrape checks complete, incomplete, downloaders and downloaded.
func (b *bench) wantScrape(hash byte, complete, incomplete, downloaders, downloaded uint32) {
	b.Helper()
	want := bittorrent.ScrapeEntry{
		InfoHash: bittorrent.InfoHash{hash}, Complete: complete, Incomplete: incomplete,
		Downloaders: downloaders, Downloaded: downloaded,
	}
	if got := b.scrape(hash); got != want {
		b.Fatalf("scrape: got %+v, want %+v", got, want)
	}
}

// wantCounts checks the counts of the last reply.
func (b *bench) wantCounts(complete, incomplete, downloaded uint32) {
	b.Helper()
	if r := &b.reply; r.Complete != complete || r.Incomplete != incomplete || r.Downloaded != downloaded {
		b.Fatalf("counts: got %d/%d/%d, want %d/%d/%d", r.Complete, r.Incomplete, r.Downloaded, complete, incomplete, downloaded)
	}
}

// wantPeers checks that the last reply has exactly these peers, in any order.
func (b *bench) wantPeers(want ...string) {
	b.Helper()
	got := map[string]bool{}
	for _, p := range Peers(&b.reply) {
		if got[p.String()] {
			b.Fatalf("%v twice in one reply", p)
		}
		got[p.String()] = true
	}
	for _, w := range want {
		if !got[w] {
			b.Fatalf("reply lacks %s: %v", w, got)
		}
	}
	if len(got) != len(want) {
		b.Fatalf("reply has %v, want %v", got, want)
	}
}

// fill announces n leechers or seeders of hash with addresses of their own.
func (b *bench) fill(hash byte, v6 bool, first, n int, change ...func(*bittorrent.Announce)) {
	b.Helper()
	for i := first; i < first+n; i++ {
		b.announce(hash, addrPort(v6, i).String(), append(change, numWant(0))...)
	}
}

// addrPort returns the i-th of many public addresses, each another IPv4
// address or another /64, with a port.
func addrPort(v6 bool, i int) netip.AddrPort {
	if v6 {
		a := [16]byte{0: 0x20, 1: 0x01}
		binary.BigEndian.PutUint32(a[4:], uint32(i))
		a[15] = 1
		return netip.AddrPortFrom(netip.AddrFrom16(a), 6881)
	}
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 0x14000000+uint32(i))
	return netip.AddrPortFrom(netip.AddrFrom4(a), 6881)
}

func seeder(a *bittorrent.Announce)      { a.Seeder = true }
func hidePrivate(a *bittorrent.Announce) { a.HidePrivate = true }

func numWant(n int) func(*bittorrent.Announce) {
	return func(a *bittorrent.Announce) { a.NumWant = n }
}

func event(e bittorrent.Event) func(*bittorrent.Announce) {
	return func(a *bittorrent.Announce) { a.Event = e }
}

func isLeecherRange(p netip.AddrPort, first, n int, v6 bool) bool {
	for i := first; i < first+n; i++ {
		if addrPort(v6, i) == p {
			return true
		}
	}
	return false
}
