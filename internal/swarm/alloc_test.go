//go:build !race

package swarm_test

import (
	"testing"

	"spate/internal/bittorrent"
)

// TestZeroAllocations holds the budget: nothing in the steady state.
func TestZeroAllocations(t *testing.T) {
	for _, n := range []int{3, 30, 200, 10_000} {
		s := newStore(t)
		fillSwarm(s, hashOf(1), n)
		announce := announcer(s, hashOf(1), n, 1)
		if got := testing.AllocsPerRun(1000, announce); got != 0 {
			t.Errorf("announce in a swarm of %d: %v allocations", n, got)
		}
		e := bittorrent.ScrapeEntry{InfoHash: hashOf(1)}
		if got := testing.AllocsPerRun(100, func() { s.Scrape(0, &e) }); got != 0 {
			t.Errorf("scrape of a swarm of %d: %v allocations", n, got)
		}
		if got := testing.AllocsPerRun(100, func() { s.Sweep(0, nil) }); got != 0 {
			t.Errorf("sweep of a swarm of %d: %v allocations", n, got)
		}
		flips := 0
		flip := &bittorrent.Announce{InfoHash: hashOf(1), Addr: addrOf(1), Port: 6881, NumWant: 50}
		r := &bittorrent.AnnounceReply{Peers: make([]byte, 0, 512)}
		if got := testing.AllocsPerRun(100, func() {
			flips++
			flip.Seeder = flips%2 == 0
			s.Announce(0, flip, r)
		}); got != 0 {
			t.Errorf("flip in a swarm of %d: %v allocations", n, got)
		}
		check(t, s)
	}
}
