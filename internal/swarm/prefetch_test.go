package swarm_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
)

// TestForetell compares what an announce to a big swarm asks for ahead with what it
// then hands out. Few may differ: those of peers that change parts or come new, and of
// windows that go around the end of a part.
func TestForetell(t *testing.T) {
	for name, family := range map[string]struct {
		addr    func(uint32) netip.Addr
		private func(uint32) netip.Addr
	}{
		"IPv4": {addrOf, func(i uint32) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }},
		"IPv6": {addr6Of, func(i uint32) netip.Addr { a := addr6Of(i).As16(); a[0] = 0xfd; return netip.AddrFrom16(a) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			var r bittorrent.AnnounceReply
			rng := rand.New(rand.NewPCG(4, 4))
			const peers = swarm.PrefetchFrom + 1000
			announce := func(i uint32) *bittorrent.Announce {
				a := &bittorrent.Announce{InfoHash: hashOf(1), Addr: family.addr(i), Port: 6881, Seeder: i%5 == 0}
				if i%50 == 1 || i%50 == 5 {
					a.Addr = family.private(i)
				}
				if i%1000 == 7 {
					a.Port = 1 // never handed out
				}
				return a
			}
			for i := range uint32(peers) {
				s.Announce(0, announce(i), &r)
			}
			var foretold, given int
			for range 1000 {
				a := announce(rng.Uint32N(peers + 100))
				a.NumWant, a.HidePrivate = []int{0, 1, 50, 200}[rng.IntN(4)], rng.IntN(2) == 0
				if rng.IntN(20) == 0 {
					a.Seeder = !a.Seeder
				}
				first := s.Foretell(a)
				s.Announce(0, a, &r)
				got := slices.Concat(r.Peers, r.Peers6)
				if a.NumWant < 50 {
					continue // a part may get nobody
				}
				foretold += len(first)
				for _, peer := range first {
					if contains(got, peer) {
						given++
					}
				}
			}
			t.Logf("%d of %d were given", given, foretold)
			if foretold == 0 || given*10 < foretold*9 {
				t.Errorf("of %d peers that were foretold %d were given", foretold, given)
			}
			check(t, s)
		})
	}
}

// contains reports whether a peer is among others, all in compact form.
func contains(peers, peer []byte) bool {
	for one := range slices.Chunk(peers, len(peer)) {
		if bytes.Equal(one, peer) {
			return true
		}
	}
	return false
}
