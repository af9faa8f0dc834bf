package swarmtest

import (
	"fmt"
	"net/netip"
	"time"

	"spate/internal/bittorrent"
)

func testIdentity(b *bench) {
	b.announce(1, "1.1.1.1:1001")
	b.announce(1, "1.1.1.1:1001")
	b.wantCounts(0, 1, 0)
	b.announce(1, "1.1.1.1:1002")
	b.announce(1, "1.1.1.2:1001")
	b.announce(1, "[2001:db8::1]:1001")
	b.wantCounts(0, 4, 0)
	b.announce(2, "1.1.1.1:1001")
	b.wantCounts(0, 1, 0)
	b.announce(1, "1.1.1.1:1002", event(bittorrent.EventStopped))
	b.wantCounts(0, 3, 0)
	b.announce(1, "1.1.1.2:1001")
	b.wantPeers("1.1.1.1:1001", "[2001:db8::1]:1001")
}

func testStopped(b *bench) {
	stopped := event(bittorrent.EventStopped)
	b.announce(1, "1.1.1.1:1001", stopped)
	b.wantCounts(0, 0, 0)
	if s := b.s().Stats(); s.Torrents != 0 {
		b.Fatalf("a stopped made a torrent")
	}
	b.announce(1, "1.1.1.1:1001", seeder)
	b.announce(1, "1.1.1.2:1001")
	b.announce(1, "1.1.1.3:1001", stopped)
	b.wantCounts(1, 1, 0)
	b.wantPeers()
	b.announce(1, "1.1.1.1:1001", stopped)
	b.wantCounts(0, 1, 0)
	b.wantPeers()
	b.announce(1, "1.1.1.2:1001", stopped)
	b.wantCounts(0, 0, 0)
	if s := b.s().Stats(); s.Torrents != 0 || s.Peers4 != 0 {
		b.Fatalf("a torrent without peers stays: %+v", s)
	}
}

func testCompletedOnce(b *bench) {
	completed := event(bittorrent.EventCompleted)
	b.announce(1, "1.1.1.1:1001", completed)
	b.wantCounts(0, 1, 0) // left is not 0
	b.announce(1, "1.1.1.1:1001", completed, seeder)
	b.wantCounts(1, 0, 1)
	b.announce(1, "1.1.1.1:1001", completed, seeder)
	b.announce(1, "1.1.1.1:1001")
	b.announce(1, "1.1.1.1:1001", completed, seeder)
	b.wantCounts(1, 0, 1)
	b.announce(1, "1.1.1.2:1001", completed, seeder)
	b.wantCounts(2, 0, 2)
	b.announce(1, "[2001:db8::1]:1001", completed, seeder)
	b.wantCounts(3, 0, 3)
	b.wantScrape(1, 3, 0, 0, 3)
	b.announce(1, "1.1.1.1:1001", event(bittorrent.EventStopped))
	b.announce(1, "1.1.1.1:1001", completed, seeder)
	b.wantCounts(3, 0, 4) // a new record
}

func testPaused(b *bench) {
	paused := event(bittorrent.EventPaused)
	b.announce(1, "1.1.1.1:1001", paused)
	b.wantCounts(0, 1, 0)
	b.wantScrape(1, 0, 1, 0, 0)
	b.announce(1, "1.1.1.1:1001")
	b.wantScrape(1, 0, 1, 1, 0)
	b.announce(1, "1.1.1.1:1001", paused)
	b.announce(1, "1.1.1.1:1001", seeder)
	b.wantScrape(1, 1, 0, 0, 0)
	b.announce(1, "1.1.1.1:1001", paused, seeder)
	b.wantScrape(1, 1, 0, 0, 0)
	for i := range 700 {
		b.announce(2, addrPort(i%2 == 0, i).String(), paused)
	}
	b.wantScrape(2, 0, 700, 0, 0)
	for i := range 300 {
		b.announce(2, addrPort(i%2 == 0, i).String(), event(bittorrent.EventStarted))
	}
	b.wantScrape(2, 0, 700, 300, 0)
	for i := range 400 {
		b.announce(2, addrPort(i%2 == 0, i).String(), event(bittorrent.EventStopped))
	}
	b.wantScrape(2, 0, 300, 0, 0)
}

func testPerAddress(b *bench) {
	b.cfg.MaxPeersPerIP = 3
	for i, others := range []int{0, 50, 600} {
		hash := byte(i)
		b.fill(hash, false, 0, others)
		for port := 1001; port <= 1004; port++ {
			b.now += time.Second
			b.announce(hash, fmt.Sprintf("1.1.1.1:%d", port))
		}
		b.wantCounts(0, uint32(others+3), 0)
		// 1002 is the oldest now; refresh it, so that 1003 goes next.
		b.now += time.Second
		b.announce(hash, "1.1.1.1:1002", seeder)
		b.now += time.Second
		b.announce(hash, "1.1.1.1:1005", seeder)
		b.wantCounts(2, uint32(others+1), 0)
		b.announce(hash, "2.2.2.2:1", numWant(others+9))
		got := map[uint16]bool{}
		for _, p := range Peers(&b.reply) {
			if p.Addr() == netip.MustParseAddr("1.1.1.1") {
				got[p.Port()] = true
			}
		}
		if len(got) != 3 || !got[1002] || !got[1004] || !got[1005] {
			b.Fatalf("with %d others: ports %v are left, want 1002, 1004 and 1005", others, got)
		}
	}
	if s := b.s().Stats(); s.ReplacedPeers != 6 {
		b.Fatalf("%d peers replaced, want 6", s.ReplacedPeers)
	}
}

// Those that came last stay, also where all of them came within less than the
// store tells apart.
func testPerAddressAtOnce(b *bench) {
	const limit, from, to = 64, 2000, 2300
	for i, others := range []int{0, 50, 600} {
		for j, addr := range []string{"1.1.1.1", "[2001:db8:9:9::1]"} {
			hash := byte(2*i + j)
			b.fill(hash, false, 0, others)
			b.now += time.Minute
			for port := from; port < to; port++ {
				b.announce(hash, fmt.Sprintf("%s:%d", addr, port))
			}
			b.wantCounts(0, uint32(others+limit), 0)
			b.announce(hash, "2.2.2.2:1", numWant(others+to-from))
			for _, p := range Peers(&b.reply) {
				if p.Port() >= from && p.Port() < to-limit && p.Addr() == netip.MustParseAddrPort(addr+":1").Addr() {
					b.Fatalf("with %d others: %v is left, want %d to %d", others, p, to-limit, to-1)
				}
			}
		}
	}
}

func testPerPrefix(b *bench) {
	b.cfg.MaxPeersPerIP = 5
	for i, others := range []int{0, 40, 300} {
		hash := byte(i)
		b.fill(hash, true, 0, others)
		for j := range 100 {
			b.now += time.Second
			b.announce(hash, fmt.Sprintf("[2001:db8:1:2:%x::%x]:2000", j, j))
		}
		b.wantCounts(0, uint32(others+5), 0)
		b.announce(hash, "[2001:db8:1:3::1]:2000")
		b.wantCounts(0, uint32(others+6), 0)
	}
}

func testExempt(b *bench) {
	b.cfg.MaxPeersPerIP = 2
	for hash, addr := range []string{"127.0.0.1", "10.1.2.3", "172.20.1.1", "192.168.1.1", "[::1]", "[fd00::5]"} {
		for port := 1000; port < 1500; port++ {
			b.announce(byte(hash), fmt.Sprintf("%s:%d", addr, port))
		}
		b.wantCounts(0, 500, 0)
	}
	// Behind a carrier's NAT are strangers.
	for port := 1000; port < 1500; port++ {
		b.announce(100, fmt.Sprintf("100.64.0.1:%d", port))
	}
	b.wantCounts(0, 2, 0)
}

func testNoLimit(b *bench) {
	b.cfg.MaxPeersPerIP = 0
	for port := 2; port < 1502; port++ {
		b.announce(1, fmt.Sprintf("1.1.1.1:%d", port))
		b.announce(2, fmt.Sprintf("[2001:db8::%x]:2000", port))
	}
	b.wantScrape(1, 0, 1500, 1500, 0)
	b.wantScrape(2, 0, 1500, 1500, 0)
}

func testFlip(b *bench) {
	for i, n := range []int{1, 3, 20, 300, 900} {
		hash := byte(i)
		for _, v6 := range []bool{false, true} {
			b.fill(hash, v6, 0, n)
		}
		for round := range 4 {
			for _, v6 := range []bool{false, true} {
				for j := range n {
					b.announce(hash, addrPort(v6, j).String(), numWant(3), func(a *bittorrent.Announce) { a.Seeder = (j+round)%2 == 0 })
				}
			}
			even, odd := uint32(2*((n+1)/2)), uint32(2*(n/2))
			if round%2 == 1 {
				even, odd = odd, even
			}
			b.wantScrape(hash, even, odd, odd, 0)
		}
		b.check()
	}
}

func testLarge(b *bench) {
	const n = 1600
	for _, v6 := range []bool{false, true} {
		b.fill(1, v6, 0, n/2)
		b.fill(1, v6, n/2, n/2, seeder)
	}
	b.wantScrape(1, n, n, n, 0)
	b.check()
	for _, v6 := range []bool{false, true} {
		for i := range n {
			b.announce(1, addrPort(v6, (i*7)%n).String(), event(bittorrent.EventStopped))
		}
	}
	b.wantScrape(1, 0, 0, 0, 0)
	if s := b.s().Stats(); s.Torrents != 0 || s.Peers4 != 0 || s.Peers6 != 0 {
		b.Fatalf("something is left: %+v", s)
	}
}
