package swarmtest

import (
	"fmt"
	"net/netip"

	"spate/internal/bittorrent"
)

func testFamilies(b *bench) {
	b.announce(1, "1.1.1.1:1001")
	b.announce(1, "[2001:db8::1]:1002", seeder)
	b.wantCounts(1, 1, 0)
	b.announce(1, "2.2.2.2:1003")
	b.wantCounts(1, 2, 0)
	b.wantPeers("1.1.1.1:1001", "[2001:db8::1]:1002")
	if len(b.reply.Peers) != bittorrent.CompactLen4 || len(b.reply.Peers6) != bittorrent.CompactLen6 {
		b.Fatalf("peers in the wrong lists: %d and %d bytes", len(b.reply.Peers), len(b.reply.Peers6))
	}
	b.wantScrape(1, 1, 2, 2, 0)
}

func testOwnFamilyFirst(b *bench) {
	for _, n := range []int{3, 40, 700} {
		hash := byte(n)
		b.fill(hash, false, 0, n)
		b.fill(hash, true, 0, n)
		b.announce(hash, "1.1.1.1:1001", numWant(n+2))
		if n4, n6 := len(b.reply.Peers)/6, len(b.reply.Peers6)/18; n4 != n || n6 != 2 {
			b.Errorf("%d of each: an IPv4 peer got %d and %d", n, n4, n6)
		}
		b.announce(hash, "[2001:db8::1]:1001", numWant(n+2))
		if n4, n6 := len(b.reply.Peers)/6, len(b.reply.Peers6)/18; n4 != 2 || n6 != n {
			b.Errorf("%d of each: an IPv6 peer got %d and %d", n, n4, n6)
		}
	}
}

func testNeverSelf(b *bench) {
	for _, v6 := range []bool{false, true} {
		for i := range 600 {
			self := addrPort(v6, i)
			r := b.announce(7, self.String(), func(a *bittorrent.Announce) { a.Seeder = i%3 == 0 })
			for _, p := range Peers(r) {
				if p == self {
					b.Fatalf("%v got itself", self)
				}
			}
		}
		// Also where it takes everybody, from any position.
		for i := 0; i < 600; i += 7 {
			self := addrPort(v6, i)
			for _, p := range Peers(b.announce(7, self.String(), numWant(2000))) {
				if p == self {
					b.Fatalf("%v got itself", self)
				}
			}
		}
	}
}

func testNumWant(b *bench) {
	hash := byte(0)
	for _, n := range []int{1, 2, 4, 5, 33, 300, 1500} {
		for _, v6 := range []bool{false, true} {
			hash++
			b.fill(hash, v6, 0, n, func(a *bittorrent.Announce) { a.Seeder = a.Addr.As16()[15]%4 == 0 })
			for _, want := range []int{0, 1, 2, 3, n - 1, n, n + 1, 50} {
				b.announce(hash, "9.9.9.9:1001", numWant(want))
				distinct := map[netip.AddrPort]bool{}
				for _, p := range Peers(&b.reply) {
					distinct[p] = true
				}
				if got := len(Peers(&b.reply)); got != min(want, n) || len(distinct) != got {
					b.Fatalf("numwant %d of %d others: got %d, of them %d distinct", want, n, got, len(distinct))
				}
			}
		}
	}
}

func testProportion(b *bench) {
	const seeders, leechers = 130, 520
	b.fill(1, false, 0, seeders, seeder)
	b.fill(1, false, seeders, leechers)
	for range 200 {
		b.announce(1, "9.9.9.9:1001", numWant(51))
		n := 0
		for _, p := range Peers(&b.reply) {
			if isLeecherRange(p, 0, seeders, false) {
				n++
			}
		}
		// 51 × 130 / 650 = 10.2
		if n != 10 && n != 11 {
			b.Fatalf("%d seeders of 51 peers, want 10 or 11", n)
		}
	}
}

func testSeederGetsLeechers(b *bench) {
	b.fill(1, false, 0, 100, seeder)
	b.fill(1, false, 100, 30)
	b.fill(1, true, 0, 20, seeder)
	b.fill(1, true, 20, 5)
	b.announce(1, "9.9.9.9:1001", seeder)
	if n4, n6 := len(b.reply.Peers)/6, len(b.reply.Peers6)/18; n4 != 30 || n6 != 5 {
		b.Fatalf("a seeder got %d and %d, want all 30 and 5 leechers", n4, n6)
	}
	for _, p := range Peers(&b.reply) {
		if isLeecherRange(p, 0, 100, false) || isLeecherRange(p, 0, 20, true) {
			b.Fatalf("a seeder got the seeder %v", p)
		}
	}
}

func testSeederWithoutLeechers(b *bench) {
	b.fill(1, false, 0, 4, seeder)
	b.fill(1, true, 0, 100, seeder)
	b.announce(1, "9.9.9.9:1001", seeder)
	if n4, n6 := len(b.reply.Peers)/6, len(b.reply.Peers6)/18; n4 != 4 || n6 != 6 {
		b.Fatalf("got %d and %d seeders, want 4 and 6", n4, n6)
	}
	b.announce(1, "9.9.9.9:1001", seeder, numWant(3))
	if n := len(Peers(&b.reply)); n != 3 {
		b.Fatalf("got %d seeders, want 3", n)
	}
	// One leecher of the other family is enough to end that.
	b.announce(1, "[2001:db8::1]:1001")
	b.announce(1, "9.9.9.9:1001", seeder)
	b.wantPeers("[2001:db8::1]:1001")
}

func testMutePorts(b *bench) {
	for i, n := range []int{2, 60, 600} {
		hash := byte(i)
		seeders := uint32(0)
		for j := range n {
			ap := netip.AddrPortFrom(addrPort(false, j).Addr(), uint16(j%2))
			seeders += uint32(btoi(j%4 >= 2))
			b.announce(hash, ap.String(), func(a *bittorrent.Announce) { a.Seeder = j%4 >= 2 })
		}
		if got := len(Peers(&b.reply)); got != 0 {
			b.Fatalf("%d peers on ports 0 and 1 handed out", got)
		}
		b.fill(hash, false, 1000, n)
		b.announce(hash, "9.9.9.9:0", numWant(n))
		if got := len(Peers(&b.reply)); got != n {
			b.Fatalf("got %d peers of %d", got, n)
		}
		for _, p := range Peers(&b.reply) {
			if p.Port() < 2 {
				b.Fatalf("%v handed out", p)
			}
		}
		b.wantCounts(seeders, uint32(2*n+1)-seeders, 0)
		b.announce(hash, "9.9.9.9:0", event(bittorrent.EventStopped))
		b.wantCounts(seeders, uint32(2*n)-seeders, 0)
	}
}

func testHidePrivate(b *bench) {
	private := []string{
		"10.0.0.1:2000", "172.16.0.1:2000", "172.31.255.255:2000", "192.168.9.9:2000", "127.0.0.1:2000", "169.254.1.1:2000",
		"100.64.0.1:2000", "100.127.255.255:2000",
		"[fe80::1]:2000", "[fd00::1]:2000", "[fc00::1]:2000", "[::1]:2000",
	}
	public := []string{
		"11.0.0.1:2000", "172.32.0.1:2000", "172.15.0.1:2000", "192.169.9.9:2000", "100.63.255.255:2000", "100.128.0.1:2000", "169.253.1.1:2000",
		"[2001:db8::2]:2000", "[fec0::1]:2000",
	}
	for i, p := range append(append([]string{}, private...), public...) {
		b.announce(1, p, func(a *bittorrent.Announce) { a.Seeder = i%2 == 0 })
	}
	b.announce(1, "9.9.9.9:1001", hidePrivate)
	b.wantPeers(public...)
	b.announce(1, "9.9.9.9:1001")
	b.wantPeers(append(append([]string{}, private...), public...)...)
	// Enough public peers: private ones do not shorten the reply.
	for i := range 300 {
		b.announce(2, fmt.Sprintf("10.0.%d.%d:2000", i/200, i%200), func(a *bittorrent.Announce) { a.Seeder = i%3 == 0 })
		b.announce(2, addrPort(false, i).String(), func(a *bittorrent.Announce) { a.Seeder = i%5 == 0 })
	}
	for range 50 {
		b.announce(2, "9.9.9.9:1001", hidePrivate)
		for _, p := range Peers(&b.reply) {
			if Hidden(p.Addr()) {
				b.Fatalf("private %v handed out", p)
			}
		}
		if n := len(Peers(&b.reply)); n != 50 {
			b.Fatalf("got %d peers, want 50", n)
		}
	}
}
