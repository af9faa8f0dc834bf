package swarm_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
)

// TestRenewTogether has several callers renew all peers of a torrent at once, while
// others come and go beside: no renewal may be lost, though marks lie two in a word.
func TestRenewTogether(t *testing.T) {
	for _, peers := range []uint32{2, 5, 9, 30, 255, 3000, swarm.PrefetchFrom + 100} {
		t.Run(fmt.Sprint(peers), func(t *testing.T) {
			cfg := swarm.DefaultConfig()
			s := newStore(t)
			announce := func(now time.Duration, i uint32, r *bittorrent.AnnounceReply) {
				a := bittorrent.Announce{InfoHash: hashOf(1), Addr: addrOf(i), Port: 6881, Seeder: i%3 == 0, NumWant: 5}
				s.Announce(now, &a, r)
				if i%4 == 0 {
					a.Addr = addr6Of(i)
					s.Announce(now, &a, r)
				}
			}
			const callers = 4
			later := cfg.MaxPeerAge / 2
			renewed := min(peers, 4000) // the others are there to make it large
			var r bittorrent.AnnounceReply
			for i := range renewed {
				announce(0, i, &r)
			}
			for i := renewed; i < peers; i++ {
				announce(later, i, &r)
			}
			want := bittorrent.ScrapeEntry{InfoHash: hashOf(1)}
			s.Scrape(0, &want)

			var wg sync.WaitGroup
			for id := range uint32(callers) {
				wg.Go(func() {
					var r bittorrent.AnnounceReply
					for i := range renewed {
						announce(later, (i+id*renewed/callers)%renewed, &r)
						if i%500 != 250 {
							continue
						}
						guest := bittorrent.Announce{InfoHash: hashOf(1), Addr: addrOf(1<<24 + id), Port: 6881}
						s.Announce(later, &guest, &r)
						guest.Event = bittorrent.EventStopped
						s.Announce(later, &guest, &r)
					}
				})
			}
			wg.Wait()
			check(t, s)
			sweep(s, cfg.MaxPeerAge+time.Minute)
			got := bittorrent.ScrapeEntry{InfoHash: hashOf(1)}
			if s.Scrape(0, &got); got != want {
				t.Errorf("after a sweep: %+v, want %+v", got, want)
			}
			sweep(s, later+cfg.MaxPeerAge+time.Minute)
			if st := s.Stats(); st.Torrents != 0 {
				t.Errorf("peers outlived their time: %+v", st)
			}
		})
	}
}

// TestRenewAfterStrangers: a caller that saw nobody whom it knew for a while goes on to
// renew.
func TestRenewAfterStrangers(t *testing.T) {
	cfg := swarm.DefaultConfig()
	s := newStore(t)
	var r bittorrent.AnnounceReply
	for i := range uint32(1000) {
		s.Announce(0, &bittorrent.Announce{InfoHash: hashOf(1), Addr: addrOf(i), Port: 6881, NumWant: 5}, &r)
		if r.Incomplete != i+1 || len(r.Peers) != 6*int(min(i, 5)) {
			t.Fatalf("peer %d: %d leechers, %d bytes of peers", i, r.Incomplete, len(r.Peers))
		}
	}
	for i := range uint32(1000) {
		s.Announce(cfg.MaxPeerAge/2, &bittorrent.Announce{InfoHash: hashOf(1), Addr: addrOf(i), Port: 6881, NumWant: 5}, &r)
		if r.Incomplete != 1000 || len(r.Peers) != 30 {
			t.Fatalf("peer %d again: %d leechers, %d bytes of peers", i, r.Incomplete, len(r.Peers))
		}
	}
	if r.Missed != 0 {
		t.Errorf("the caller is taken for one that misses: %d", r.Missed)
	}
	sweep(s, cfg.MaxPeerAge+time.Minute)
	if st := s.Stats(); st.Leechers != 1000 {
		t.Errorf("%d of 1000 peers are left", st.Leechers)
	}
	check(t, s)
}

// TestRenewBig: in a big list a peer is taken on trust until the reply is made. Several
// peers of one address look alike in the index, others come new or change sides.
func TestRenewBig(t *testing.T) {
	for name, addr := range map[string]func(uint32) netip.Addr{"IPv4": addrOf, "IPv6": addr6Of} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			var r bittorrent.AnnounceReply
			const addresses, ports = swarm.PrefetchFrom/4 + 50, 4
			announce := func(i uint32, port uint16, seeder bool) []byte {
				s.Announce(0, &bittorrent.Announce{InfoHash: hashOf(1), Addr: addr(i), Port: port, Seeder: seeder, NumWant: 40}, &r)
				return slices.Concat(r.Peers, r.Peers6)
			}
			for i := range uint32(addresses) {
				for port := range uint16(ports) {
					announce(i, 6881+port, false)
				}
			}
			width := len(announce(0, 6881, false)) / 40
			seeders := uint32(0)
			for i := uint32(0); i < addresses+100; i += 31 {
				port, seeder := uint16(6881+i%ports), i%5 == 0
				known := i < addresses
				peers := announce(i, port, seeder)
				if seeder {
					seeders++
				}
				total := uint32(addresses * ports)
				if !known {
					total += (i-addresses)/31 + 1
				}
				if r.Complete != seeders || r.Complete+r.Incomplete != total {
					t.Fatalf("address %d: %d seeders of %d, want %d of %d", i, r.Complete, r.Complete+r.Incomplete, seeders, total)
				}
				if len(peers) != 40*width {
					t.Fatalf("address %d: %d peers, want 40", i, len(peers)/width)
				}
				self := addr(i).AsSlice()
				self = append(self, byte(port>>8), byte(port))
				if contains(peers, self) {
					t.Fatalf("address %d, port %d was handed itself", i, port)
				}
			}
			check(t, s)
		})
	}
}
