package swarm_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
	"spate/internal/swarm/swarmtest"
)

// open makes a store that is checked against its promises at the test's end.
func open(t testing.TB, cfg swarm.Config) swarmtest.Store {
	s := newStore(t, func(c *swarm.Config) { *c = cfg })
	t.Cleanup(func() { check(t, s) })
	return s
}

func check(t testing.TB, s *swarm.Store) {
	t.Helper()
	if err := s.CheckInvariants(); err != nil {
		t.Errorf("CheckInvariants: %v", err)
	}
	if err := s.CheckPages(); err != nil {
		t.Errorf("CheckPages: %v", err)
	}
}

func sweep(s *swarm.Store, now time.Duration) {
	for s.Sweep(now, nil) {
	}
}

func TestConformance(t *testing.T) { swarmtest.Run(t, open) }

func TestCompare(t *testing.T) {
	for seed := range uint64(4) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			swarmtest.Compare(t, open, compareConfig(seed), seed, 15_000)
		})
	}
}

// TestSoak compares with the model until SPATE_SOAK, a duration, is over.
func TestSoak(t *testing.T) {
	length := time.Second
	if text := os.Getenv("SPATE_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	for begin := time.Now(); time.Since(begin) < length; {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		swarmtest.Compare(t, open, compareConfig(seed), seed, 20_000)
	}
}

// compareConfig returns one of several configurations by a seed.
func compareConfig(seed uint64) swarm.Config {
	cfg := swarmtest.Config()
	cfg.Seed = seed | 1
	cfg.Shards = 1 << (seed % 3)
	cfg.MaxPeersPerIP = []int{64, 0, 3, 256}[seed%4]
	cfg.DownloadedMemory = 20_000 * time.Second
	return cfg
}

func TestConfig(t *testing.T) {
	_, err := swarm.New(swarm.Config{MaxPeersPerIP: 1000, MaxMemory: -1, MaxTorrents: -1, DownloadedMemory: -1, Shards: 3})
	for _, field := range []string{"MaxPeersPerIP", "MaxPeerAge", "MaxMemory", "MaxTorrents", "DownloadedMemory", "Shards"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the error says nothing of %s: %v", field, err)
		}
	}
}

// TestSweepBetweenAnnounces: a pass in the smallest slices, with announces
// between them that move peers about, still finds every old one.
func TestSweepBetweenAnnounces(t *testing.T) {
	cfg := swarmtest.Config()
	cfg.Shards, cfg.MaxPeersPerIP = 1, 3
	s := newStore(t, func(c *swarm.Config) { *c = cfg })
	s.SetSliceBudget(1500)
	rng := rand.New(rand.NewPCG(3, 3))
	now := time.Duration(0)
	var r bittorrent.AnnounceReply
	announce := func() {
		i := rng.Uint32N(6000)
		a := bittorrent.Announce{InfoHash: hashOf(uint64(rng.IntN(3) * rng.IntN(40))), Addr: addrOf(i), Port: uint16(rng.IntN(4)), Seeder: rng.IntN(2) == 0}
		if i%3 == 0 {
			a.Addr = addr6Of(i)
		}
		switch rng.IntN(10) {
		case 0:
			a.Event = bittorrent.EventStopped
		case 1:
			a.Event = bittorrent.EventPaused
		}
		s.Announce(now, &a, &r)
	}
	for range 20 {
		for range 1000 {
			announce()
		}
		now += time.Duration(rng.IntN(900)) * time.Second
		begun, slices := now, 0
		for s.Sweep(now, nil) {
			for range 8 {
				announce()
			}
			now += time.Duration(rng.IntN(2)) * time.Second
			slices++
		}
		if oldest := s.Oldest(now) - (now - begun); oldest > cfg.MaxPeerAge {
			t.Fatalf("after a pass of %d slices there is a peer that was %v old when it began", slices, oldest)
		}
		check(t, s)
	}
	if st := s.Stats(); st.ExpiredPeers < 300 {
		t.Fatalf("only %d peers expired", st.ExpiredPeers)
	}
}

// TestConcurrent runs everything at once, which -race watches.
func TestConcurrent(t *testing.T) {
	s := newStore(t, func(c *swarm.Config) { c.Shards = 2 })
	const callers, announces = 8, 3000
	var wg sync.WaitGroup
	for caller := range uint64(callers) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(caller, 1))
			var r bittorrent.AnnounceReply
			for i := range announces {
				now := time.Duration(i) * time.Second
				a := bittorrent.Announce{
					InfoHash: hashOf(uint64(rng.IntN(5))), Addr: addrOf(rng.Uint32N(2000)), Port: 6881,
					Seeder: rng.IntN(3) == 0, NumWant: 50,
				}
				if rng.IntN(4) == 0 {
					a.Event = bittorrent.EventStopped
				}
				s.Announce(now, &a, &r)
				switch rng.IntN(20) {
				case 0:
					s.Sweep(now, func(h *bittorrent.InfoHash) bool { return *h != hashOf(uint64(rng.IntN(50))) })
				case 1:
					s.Scrape(now, &bittorrent.ScrapeEntry{InfoHash: a.InfoHash})
				case 2:
					s.Stats()
				}
			}
		})
	}
	wg.Wait()
	check(t, s)
}

// TestScrapeEach: what a large store asks ahead changes no answer.
func TestScrapeEach(t *testing.T) {
	s := newStore(t)
	const torrents = 260_000
	var r bittorrent.AnnounceReply
	for i := range uint32(torrents) {
		s.Announce(0, &bittorrent.Announce{InfoHash: hashOf(uint64(i)), Addr: addrOf(i), Port: 6881, Seeder: i%3 == 0}, &r)
	}
	if st := s.Stats(); st.Memory < swarm.AheadFrom {
		t.Fatalf("the store has %d bytes, which is too few to ask ahead", st.Memory)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{0, 1, 15, 16, 17, 100} {
		got := make([]bittorrent.ScrapeEntry, n)
		want := make([]bittorrent.ScrapeEntry, n)
		for i := range n {
			number := rng.Uint64N(2 * torrents)
			got[i] = bittorrent.ScrapeEntry{InfoHash: hashOf(number), Complete: 7, Incomplete: 7, Downloaded: 7}
			want[i].InfoHash = hashOf(number)
			if number < torrents {
				if number%3 == 0 {
					want[i].Complete = 1
				} else {
					want[i].Incomplete, want[i].Downloaders = 1, 1
				}
			}
		}
		if s.ScrapeEach(0, got); !slices.Equal(got, want) {
			t.Errorf("of %d torrents: %+v, want %+v", n, got, want)
		}
	}
}
