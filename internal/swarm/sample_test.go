package swarm_test

import (
	"fmt"
	"math"
	"net/netip"
	"testing"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
	"spate/internal/swarm/swarmtest"
)

// TestSampleIsUniform: over many replies every eligible peer comes equally
// often, whatever the swarm's size and make. With numwant 1 the counts are
// independent, and chi-squared is what the tables say; the windows of a larger
// numwant make it numwant times as large.
func TestSampleIsUniform(t *testing.T) {
	for _, test := range []struct {
		peers, seeders, private, six, mute int
		want                               int
		seeder, own6                       bool
	}{
		{peers: 4, want: 1},
		{peers: 4, seeders: 2, want: 2},
		{peers: 20, seeders: 7, want: 5},
		{peers: 20, seeders: 19, want: 5},
		{peers: 60, seeders: 1, private: 9, mute: 10, want: 1},
		{peers: 90, seeders: 30, want: 50},
		{peers: 300, seeders: 100, want: 1},
		{peers: 1500, seeders: 500, private: 100, mute: 50, want: 50},
		{peers: 1500, seeders: 500, private: 700, want: 30, seeder: true},
		{peers: 40, six: 1200, seeders: 13, want: 60},
		{peers: 2, seeders: 1, want: 1, own6: true},
		{peers: 90, seeders: 30, want: 50, own6: true},
		{peers: 1500, seeders: 500, mute: 50, want: 1, own6: true},
		{peers: 1500, seeders: 1100, want: 30, seeder: true, own6: true},
	} {
		t.Run(fmt.Sprintf("%+v", test), func(t *testing.T) {
			s := newStore(t, func(c *swarm.Config) { c.Seed = 7 })
			var r bittorrent.AnnounceReply
			for i := range test.peers + test.six + test.mute {
				a := bittorrent.Announce{InfoHash: hashOf(1), Addr: addrOf(uint32(i)), Port: 6881, Seeder: i%test.peers < test.seeders}
				if i%2 == 1 && i/2 < test.private {
					a.Addr = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
				}
				if i >= test.peers {
					a.Addr = addr6Of(uint32(i))
				}
				if test.own6 {
					a.Addr = addr6Of(uint32(i))
				}
				if i >= test.peers+test.six {
					a.Port = 1
				}
				s.Announce(0, &a, &r)
			}
			self := bittorrent.Announce{InfoHash: hashOf(1), Addr: netip.MustParseAddr("9.9.9.9"), Port: 9, NumWant: test.want, Seeder: test.seeder}
			if test.own6 {
				self.Addr = netip.MustParseAddr("2001:db8::9")
			}
			const rounds = 20_000
			seen := map[netip.AddrPort]int{}
			for range rounds {
				s.Announce(0, &self, &r)
				for _, p := range swarmtest.Peers(&r) {
					if p.Addr().Is4() == (test.six == 0 && !test.own6) {
						seen[p]++
					}
				}
			}
			eligible, want := test.peers, test.want
			if test.seeder {
				eligible -= test.seeders
			}
			if test.six > 0 {
				// All of the own family come; what is left is from the other.
				eligible, want = test.six, want-test.peers
			}
			expected := float64(rounds*want) / float64(eligible)
			chi := float64(eligible-len(seen)) * expected
			for _, n := range seen {
				chi += (float64(n) - expected) * (float64(n) - expected) / expected
			}
			free := float64(eligible - 1)
			if limit := float64(want) * (free + 6*math.Sqrt(2*free)); len(seen) > eligible || chi > limit {
				t.Errorf("chi-squared of %d peers is %.0f, above %.0f", len(seen), chi, limit)
			}
		})
	}
}
