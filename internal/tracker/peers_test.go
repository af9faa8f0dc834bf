package tracker_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"spate/internal/bittorrent"
	"spate/internal/tracker"
)

// peers returns the number of IPv4 peers in a compact reply.
func peers(t *testing.T, body string) int {
	t.Helper()
	var n int
	_, tail, found := strings.Cut(body, "5:peers")
	if _, err := fmt.Sscanf(tail, "%d:", &n); !found || err != nil || n%bittorrent.CompactLen4 != 0 {
		t.Fatalf("no compact peers in %q", body)
	}
	return n / bittorrent.CompactLen4
}

func TestNumWant(t *testing.T) {
	const swarm = 230
	for _, tc := range []struct {
		maxPeers int
		numWant  string
		want     int
	}{
		{50, "", 50},
		{200, "", 50},
		{30, "", 30},
		{200, "&numwant=-1", 50},
		{30, "&numwant=-1", 30},
		{200, "&numwant=many", 50},
		{50, "&numwant=0", 0},
		{50, "&numwant=1", 1},
		{50, "&numwant=50", 50},
		{50, "&numwant=51", 50},
		{200, "&numwant=120", 120},
		{200, "&numwant=4294967296", 200},
		{200, "&numwant=99999999999999999999999", 200},
		{500, "&numwant=500", tracker.MaxPeersLimit},
		{0, "&numwant=50", 0},
		{0, "", 0},
	} {
		t.Run(fmt.Sprintf("max_peers=%d%s", tc.maxPeers, tc.numWant), func(t *testing.T) {
			cfg := steady()
			cfg.MaxPeers = tc.maxPeers
			f := newFixture(t, cfg, nil)
			for i := range swarm {
				f.announce(netip.AddrFrom4([4]byte{198, 18, 0, byte(i)}).String(), 'a', 6881, "&numwant=0")
			}
			before := f.Counters().PeersHandedOut
			if got := peers(t, f.announce("198.18.9.9", 'a', 6881, tc.numWant)); got != tc.want {
				t.Errorf("got %d peers, want %d", got, tc.want)
			}
			if n := f.Counters().PeersHandedOut - before; n != uint64(tc.want) {
				t.Errorf("counted %d peers handed out, want %d", n, tc.want)
			}
		})
	}
}

func TestClaimedAddresses(t *testing.T) {
	trusting := func(prefixes ...string) tracker.Config {
		cfg := steady()
		for _, p := range prefixes {
			cfg.TrustedPeerAddresses = append(cfg.TrustedPeerAddresses, netip.MustParsePrefix(p))
		}
		return cfg
	}
	for _, tc := range []struct {
		name   string
		cfg    tracker.Config
		client string
		claim  string
		want   string
	}{
		{"nobody is trusted", trusting(), "10.0.0.1", "&ip=8.8.8.8&ipv4=8.8.8.8&ipv6=2a00::1", "10.0.0.1"},
		{"another source is trusted", trusting("10.9.0.0/16"), "10.0.0.1", "&ip=8.8.8.8", "10.0.0.1"},
		{"trusted, no claim", trusting("10.0.0.0/8"), "10.0.0.1", "", "10.0.0.1"},
		{"trusted ip", trusting("10.0.0.0/8"), "10.0.0.1", "&ip=8.8.8.8", "8.8.8.8"},
		{"ip counts before the rest", trusting("10.0.0.0/8"), "10.0.0.1", "&ipv4=9.9.9.9&ipv6=2a00::1&ip=8.8.8.8", "8.8.8.8"},
		{"own family first, IPv4", trusting("10.0.0.0/8"), "10.0.0.1", "&ipv4=9.9.9.9&ipv6=2a00::1", "9.9.9.9"},
		{"own family first, IPv6", trusting("fd00::/8"), "fd00::1", "&ipv4=9.9.9.9&ipv6=2a00::1", "2a00::1"},
		{"the other family", trusting("10.0.0.0/8"), "10.0.0.1", "&ipv6=2a00::1", "2a00::1"},
		{"mapped source", trusting("10.0.0.0/8"), "::ffff:10.0.0.1", "&ip=8.8.8.8", "8.8.8.8"},
		{"mapped prefix", trusting("::ffff:10.0.0.0/104"), "10.0.0.1", "&ip=8.8.8.8", "8.8.8.8"},
		{"mapped claim", trusting("10.0.0.0/8"), "10.0.0.1", "&ip=::ffff:8.8.8.8", "8.8.8.8"},
		{"garbage", trusting("10.0.0.0/8"), "10.0.0.1", "&ip=nonsense", "10.0.0.1"},
		{"unspecified", trusting("10.0.0.0/8"), "10.0.0.1", "&ip=0.0.0.0&ipv6=::", "10.0.0.1"},
		{"multicast and broadcast", trusting("10.0.0.0/8"), "10.0.0.1", "&ip=224.0.0.1&ipv4=255.255.255.255", "10.0.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := tc.cfg
			cfg.PrivatePeers = tracker.PrivatePeersAlways
			f := newFixture(t, cfg, nil)
			f.announce(tc.client, 'a', 6881, tc.claim)
			body := f.announce("198.18.9.9", 'a', 6882, "")
			addr := netip.MustParseAddr(tc.want)
			peer := string(append(addr.AsSlice(), 6881>>8, 6881&0xff))
			key := "5:peers"
			if addr.Is6() {
				key = "6:peers6"
			}
			if want := fmt.Sprintf("%s%d:%s", key, len(peer), peer); !strings.Contains(body, want) {
				t.Errorf("the peer is not known as %s: %q", tc.want, body)
			}
		})
	}
}

func TestPrivatePeers(t *testing.T) {
	clients := []string{"198.18.0.1", "2a00::1", "10.0.0.1", "127.0.0.1", "fd00::1", "100.64.0.1"}
	for _, tc := range []struct {
		mode tracker.PrivatePeers
		want []int // for each of the clients
	}{
		{tracker.PrivatePeersAuto, []int{1, 1, 2, 2, 2, 2}},
		{tracker.PrivatePeersAlways, []int{2, 2, 2, 2, 2, 2}},
		{tracker.PrivatePeersNever, []int{1, 1, 1, 1, 1, 1}},
	} {
		for i, client := range clients {
			t.Run([]string{"auto", "always", "never"}[tc.mode]+" to "+client, func(t *testing.T) {
				cfg := steady()
				cfg.PrivatePeers = tc.mode
				f := newFixture(t, cfg, nil)
				f.announce("192.168.1.1", 'a', 6881, "")
				f.announce("198.18.0.2", 'a', 6881, "")
				if got := peers(t, f.announce(client, 'a', 6882, "")); got != tc.want[i] {
					t.Errorf("got %d peers, want %d", got, tc.want[i])
				}
			})
		}
	}
}

func TestCompactAndPeers6(t *testing.T) {
	f := newFixture(t, steady(), nil)
	f.announce("10.0.0.1", 'a', 258, "")
	const counts = "d8:completei0e10:downloadedi0e10:incompletei2e8:intervali8e12:min intervali4e5:peers"
	f.want(f.announce("10.0.0.2", 'a', 1, ""), counts+"6:\x0a\x00\x00\x01\x01\x02e")
	f.want(f.announce("10.0.0.2", 'a', 1, "&compact=0"), counts+"ld2:ip8:10.0.0.14:porti258eeee")
	f.want(f.announce("fd00::2", 'b', 1, "&compact=1"), reply("", noPeers6))
	if n := f.Counters().UnreachablePorts; n != 3 {
		t.Errorf("counted %d announces of port 1, want 3", n)
	}
}
