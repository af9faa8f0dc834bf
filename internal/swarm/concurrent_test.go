package swarm_test

import (
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
	"spate/internal/swarm/swarmtest"
)

// TestConcurrentCallersAgree: each caller has torrents of its own, in shards that it
// shares with the others, and a model of them; sweeps and snapshots go on beside. All announce to one more torrent, whose counts have to be the sum.
func TestConcurrentCallersAgree(t *testing.T) {
	const callers, steps, torrents = 4, 2500, 10
	cfg := swarmtest.Config()
	cfg.Shards, cfg.MaxPeersPerIP = 2, 0
	s := newStore(t, func(c *swarm.Config) { *c = cfg })
	hot := hashOf(1 << 50)
	models := make([]*swarmtest.Model, callers)
	for i := range models {
		var err error
		if models[i], err = swarmtest.NewModel(cfg); err != nil {
			t.Fatal(err)
		}
	}
	beside := func(n int) {
		switch n {
		case 0:
			for range 10 {
				s.Sweep(0, func(*bittorrent.InfoHash) bool { return true })
			}
		case 1:
			if err := s.Snapshot(io.Discard, 0); err != nil {
				t.Error(err)
			}
		case 2:
			s.Stats()
		}
	}
	var wg sync.WaitGroup
	for id, model := range models {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(id), 3))
			var got, want bittorrent.AnnounceReply
			for step := range steps {
				a := bittorrent.Announce{
					InfoHash: hashOf(uint64(id*torrents) + uint64(rng.IntN(torrents)*rng.IntN(2))),
					Addr:     addrOf(uint32(id)<<16 | rng.Uint32N(500)), Port: 6881, Seeder: rng.IntN(2) == 0, NumWant: 50,
					Event: []bittorrent.Event{bittorrent.EventNone, bittorrent.EventCompleted, bittorrent.EventPaused, bittorrent.EventStopped}[rng.IntN(4)],
				}
				if rng.IntN(3) == 0 {
					a.Addr = addr6Of(uint32(id)<<16 | rng.Uint32N(500))
				}
				s.Announce(0, &a, &got)
				model.Announce(0, &a, &want)
				if got.Complete != want.Complete || got.Incomplete != want.Incomplete || got.Downloaded != want.Downloaded ||
					len(got.Peers) != len(want.Peers) || len(got.Peers6) != len(want.Peers6) {
					t.Errorf("caller %d, step %d: got %d/%d/%d and %d, %d bytes of peers, want %d/%d/%d and %d, %d", id, step,
						got.Complete, got.Incomplete, got.Downloaded, len(got.Peers), len(got.Peers6),
						want.Complete, want.Incomplete, want.Downloaded, len(want.Peers), len(want.Peers6))
					return
				}
				a.InfoHash, a.NumWant = hot, 0
				s.Announce(0, &a, &got)
				model.Announce(0, &a, &want)
				beside(rng.IntN(200))
			}
		})
	}
	wg.Wait()
	var sum bittorrent.ScrapeEntry
	for _, m := range models {
		e := bittorrent.ScrapeEntry{InfoHash: hot}
		m.Scrape(0, &e)
		sum.Complete += e.Complete
		sum.Incomplete += e.Incomplete
		sum.Downloaders += e.Downloaders
		sum.Downloaded += e.Downloaded
	}
	sum.InfoHash = hot
	e := bittorrent.ScrapeEntry{InfoHash: hot}
	if s.Scrape(0, &e); e != sum {
		t.Errorf("the torrent of all: %+v, want %+v", e, sum)
	}
	check(t, s)
	sweep(s, 0) // the rest of the pass that a caller began
	sweep(s, cfg.MaxPeerAge+time.Minute)
	if st := s.Stats(); st.Torrents != 0 || st.Memory > 1<<20 {
		t.Errorf("after everything expired: %+v", st)
	}
}
