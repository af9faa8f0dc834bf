package swarm_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
)

// TestMemoryLimit floods a small store: it stays under its limit, refuses new
// torrents, and goes on serving those it has.
func TestMemoryLimit(t *testing.T) {
	const limit = 8 << 20
	s := newStore(t, func(c *swarm.Config) { c.MaxMemory, c.Shards = limit, 16 })
	var r bittorrent.AnnounceReply
	// Download counts of torrents that are gone.
	for i := range uint64(20_000) {
		for _, event := range []bittorrent.Event{bittorrent.EventCompleted, bittorrent.EventStopped} {
			s.Announce(0, &bittorrent.Announce{InfoHash: hashOf(i), Addr: addrOf(1), Port: 6881, Seeder: true, Event: event}, &r)
		}
	}
	if st := s.Stats(); st.Remembered != 20_000 || st.Torrents != 0 {
		t.Fatalf("after the download counts: %+v", st)
	}
	fillSwarm(s, hashOf(1<<40), 1000)
	full := 0
	for i := range uint32(200_000) {
		if s.Announce(0, &bittorrent.Announce{InfoHash: hashOf(1<<41 + uint64(i)), Addr: addrOf(i), Port: 6881}, &r) == bittorrent.FailureFull {
			full++
		}
	}
	st := s.Stats()
	if st.Memory > limit || st.Torrents < 60_000 || full == 0 || st.RefusedTorrents != uint64(full) || st.Torrents != 200_001-full {
		t.Fatalf("after the flood, %d refused: %+v", full, st)
	}
	if st.Remembered != 0 || st.ForgottenByMemory != 20_000 {
		t.Fatalf("download counts have to go first: %+v", st)
	}
	// A known torrent still takes peers, up to the limit for new ones and then
	// in the place of older ones.
	for i := range uint32(300_000) {
		a := bittorrent.Announce{InfoHash: hashOf(1 << 40), Addr: addrOf(5000 + i), Port: 6881, NumWant: 50}
		if f := s.Announce(time.Second, &a, &r); f != bittorrent.FailureNone || len(r.Peers) != 50*bittorrent.CompactLen4 {
			t.Fatalf("a known torrent: %q and %d bytes of peers", f.Reason(), len(r.Peers))
		}
	}
	st = s.Stats()
	if st.Memory > limit || st.DisplacedPeers == 0 {
		t.Fatalf("after the growth: %+v", st)
	}
	check(t, s)
	now := swarm.DefaultConfig().MaxPeerAge + time.Minute
	sweep(s, now)
	if st := s.Stats(); st.Torrents != 0 || st.Memory != 0 {
		t.Fatalf("after everything expired: %+v", st)
	}
	if f := s.Announce(now, &bittorrent.Announce{InfoHash: hashOf(1), Addr: addrOf(1), Port: 6881}, &r); f != bittorrent.FailureNone {
		t.Fatalf("a new torrent when all is over: %q", f.Reason())
	}
}

// TestNoMemoryAtAll: a store whose limit is below one torrent refuses, and that
// is all.
func TestNoMemoryAtAll(t *testing.T) {
	s := newStore(t, func(c *swarm.Config) { c.MaxMemory = 1 })
	var r bittorrent.AnnounceReply
	for i := range uint32(100) {
		if f := s.Announce(0, &bittorrent.Announce{InfoHash: hashOf(1), Addr: addrOf(i), Port: 6881}, &r); f != bittorrent.FailureFull {
			t.Fatalf("got %q", f.Reason())
		}
	}
	check(t, s)
}

// TestPagesBeyondTheHeadroom: many announces at once may need more pages than each
// of them saw.
func TestPagesBeyondTheHeadroom(t *testing.T) {
	s := newStore(t)
	s.AllocAlone(5000)
	if st := s.Stats(); st.Memory != 0 {
		t.Fatalf("%d bytes are left", st.Memory)
	}
	sweep(s, 0)
	check(t, s)
}

// TestHashFlood: info hashes that all meet in one shard of one process are spread in
// the next, whose seed is another, and those that are hardly different always are.
func TestHashFlood(t *testing.T) {
	const shards, wanted = 64, 4000
	one, other := newStore(t, func(c *swarm.Config) { c.Shards = shards }), newStore(t, func(c *swarm.Config) { c.Shards = shards })
	var alike, met [shards]int
	for i, n := uint32(0), 0; n < wanted; i++ {
		var h bittorrent.InfoHash
		binary.LittleEndian.PutUint32(h[16:], i)
		if int(i) < wanted {
			alike[one.ShardOf(h)]++
		}
		if one.ShardOf(h) == 0 {
			met[other.ShardOf(h)]++
			n++
		}
	}
	// 62.5 on average: 125 is eight standard deviations above it.
	if most := slices.Max(alike[:]); most > 2*wanted/shards {
		t.Errorf("%d of %d hardly different info hashes are in one shard", most, wanted)
	}
	if most := slices.Max(met[:]); most > 2*wanted/shards {
		t.Errorf("%d of %d info hashes that collide in one process do so in another", most, wanted)
	}
}

// TestFullList: beyond what positions can name, newcomers take the places of older
// peers, in a torrent and in a snapshot.
func TestFullList(t *testing.T) {
	const most = 1000
	s := newStore(t)
	s.SetMaxPeers(most)
	fillSwarm(s, hashOf(1), 3*most)
	e := bittorrent.ScrapeEntry{InfoHash: hashOf(1)}
	if s.Scrape(0, &e); e.Complete+e.Incomplete != most {
		t.Fatalf("%d peers, want %d", e.Complete+e.Incomplete, most)
	}
	if st := s.Stats(); st.DisplacedPeers != 2*most {
		t.Fatalf("%d peers displaced, want %d", st.DisplacedPeers, 2*most)
	}
	check(t, s)
	var buf bytes.Buffer
	if err := s.Snapshot(&buf, 0); err != nil {
		t.Fatal(err)
	}
	fresh := newStore(t)
	fresh.SetMaxPeers(most / 2)
	if err := fresh.Load(&buf, 0); err != nil {
		t.Fatal(err)
	}
	if st := fresh.Stats(); st.Peers4 != most/2 {
		t.Fatalf("%d peers loaded, want %d", st.Peers4, most/2)
	}
	check(t, fresh)
}

// TestStorm: what comes at once and expires at once leaves nothing behind.
func TestStorm(t *testing.T) {
	s := newStore(t)
	longTail(s, 50_000, 200_000, addrOf)
	longTail(s, 50_000, 100_000, addr6Of)
	fillSwarm(s, hashOf(1<<40), 50_000)
	check(t, s)
	sweep(s, swarm.DefaultConfig().MaxPeerAge+time.Minute)
	if st := s.Stats(); st.Torrents != 0 || st.Memory != 0 || st.ExpiredPeers != 350_000 {
		t.Fatalf("after the storm: %+v", st)
	}
	check(t, s)
}

// TestHostilePeers: counts stay exact whatever one host does.
func TestHostilePeers(t *testing.T) {
	s := newStore(t)
	fillSwarm(s, hashOf(1), 1000)
	var r bittorrent.AnnounceReply
	a := &bittorrent.Announce{InfoHash: hashOf(1), NumWant: 50}
	loopback := netip.MustParseAddr("127.0.0.1")
	want := func(what string, n uint32) {
		t.Helper()
		if r.Complete+r.Incomplete != n {
			t.Fatalf("%s: %d peers, want %d", what, r.Complete+r.Incomplete, n)
		}
	}
	for port := range 1 << 16 {
		a.Addr, a.Port, a.Seeder = addrOf(1<<20), uint16(port), port%2 == 0
		s.Announce(time.Duration(port)*time.Millisecond, a, &r)
	}
	want("every port of one address", 1064)
	addr := addr6Of(1).As16()
	for i := range 10_000 {
		addr[12], addr[13] = byte(i>>8), byte(i)
		a.Addr, a.Port = netip.AddrFrom16(addr), 6881
		s.Announce(time.Minute, a, &r)
	}
	want("one /64", 1064+64)
	for port := range 1 << 16 {
		a.Addr, a.Port = loopback, uint16(port)
		s.Announce(time.Minute, a, &r)
	}
	want("every port of loopback", 1064+64+1<<16)
	check(t, s)
	for port := range 1 << 16 {
		a.Addr, a.Port, a.Event = loopback, uint16(port), bittorrent.EventStopped
		s.Announce(time.Minute, a, &r)
	}
	want("after loopback has gone", 1064+64)
	check(t, s)
}
