package httpwire

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"spate/internal/bittorrent"
)

func TestAppendAnnounceReply(t *testing.T) {
	const head = "d8:completei3e10:downloadedi7e"
	const tail = "10:incompletei5e8:intervali1800e12:min intervali900e"
	peers := []byte{1, 2, 3, 4, 0x1a, 0xe1, 5, 6, 7, 8, 0, 80}
	peers6 := []byte("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1a\xe1")
	for _, tc := range []struct {
		name string
		set  func(r *bittorrent.AnnounceReply)
		want string
	}{
		{"peers is always there", func(*bittorrent.AnnounceReply) {}, head + tail + "5:peers0:e"},
		{"keys in order", func(r *bittorrent.AnnounceReply) {
			r.Peers, r.Peers6, r.ExternalIP = peers, peers6, netip.MustParseAddr("9.8.7.6")
		}, head + "11:external ip4:\x09\x08\x07\x06" + tail + "5:peers12:" + string(peers) + "6:peers618:" + string(peers6) + "e"},
		{"external ip of 16 bytes", func(r *bittorrent.AnnounceReply) {
			r.ExternalIP = netip.MustParseAddr("2001:db8::1")
		}, head + "11:external ip16:" + string(peers6[:16]) + tail + "5:peers0:e"},
		{"external ip that is IPv4-mapped", func(r *bittorrent.AnnounceReply) {
			r.ExternalIP = netip.MustParseAddr("::ffff:9.8.7.6")
		}, head + "11:external ip4:\x09\x08\x07\x06" + tail + "5:peers0:e"},
		{"peers6 empty for an IPv6 requester", func(r *bittorrent.AnnounceReply) {
			r.Requester6 = true
		}, head + tail + "5:peers0:6:peers60:e"},
		{"peers6 alone", func(r *bittorrent.AnnounceReply) {
			r.Peers6 = peers6
		}, head + tail + "5:peers0:6:peers618:" + string(peers6) + "e"},
		{"compact=0", func(r *bittorrent.AnnounceReply) {
			r.Compact, r.Peers, r.Peers6 = false, peers, peers6
		}, head + tail + "5:peersl" +
			"d2:ip7:1.2.3.44:porti6881eed2:ip7:5.6.7.84:porti80ee" +
			"d2:ip11:2001:db8::14:porti6881ee" + "ee"},
		{"compact=0, an IPv6 requester's own family first", func(r *bittorrent.AnnounceReply) {
			r.Compact, r.Requester6, r.Peers, r.Peers6 = false, true, peers, peers6
		}, head + tail + "5:peersl" +
			"d2:ip11:2001:db8::14:porti6881ee" +
			"d2:ip7:1.2.3.44:porti6881eed2:ip7:5.6.7.84:porti80ee" + "ee"},
		{"compact=0 without peers", func(r *bittorrent.AnnounceReply) {
			r.Compact, r.Requester6 = false, true
		}, head + tail + "5:peerslee"},
		{"integers stay within 32 bits with sign", func(r *bittorrent.AnnounceReply) {
			r.Complete, r.Downloaded, r.Incomplete = math.MaxUint32, 1<<31, 1<<31-1
			r.Interval, r.MinInterval = math.MaxInt64, -time.Hour
		}, "d8:completei2147483647e10:downloadedi2147483647e10:incompletei2147483647e" +
			"8:intervali2147483647e12:min intervali0e5:peers0:e"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := bittorrent.AnnounceReply{
				Complete: 3, Incomplete: 5, Downloaded: 7, Compact: true,
				Interval: 30 * time.Minute, MinInterval: 15 * time.Minute,
			}
			tc.set(&r)
			if got := string(AppendAnnounceReply([]byte("head"), &r)); got != "head"+tc.want {
				t.Errorf("got  %q\nwant %q", got, "head"+tc.want)
			}
		})
	}
}

func TestAppendScrapeReply(t *testing.T) {
	a := bittorrent.ScrapeEntry{Complete: 1, Incomplete: 20, Downloaded: 300, Downloaders: 4000}
	copy(a.InfoHash[:], strings.Repeat("a", 20))
	var z bittorrent.ScrapeEntry
	copy(z.InfoHash[:], strings.Repeat("z", 20))
	z.Complete = math.MaxUint32
	want := "d5:filesd" +
		"20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi300e11:downloadersi4000e10:incompletei20ee" +
		"20:zzzzzzzzzzzzzzzzzzzzd8:completei2147483647e10:downloadedi0e11:downloadersi0e10:incompletei0ee" +
		"e5:flagsd20:min_request_intervali900eee"
	if got := string(AppendScrapeReply(nil, []bittorrent.ScrapeEntry{a, z}, 15*time.Minute)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	want = "d5:filesde5:flagsd20:min_request_intervali0eee"
	if got := string(AppendScrapeReply(nil, nil, 0)); got != want {
		t.Errorf("without entries: got  %q\nwant %q", got, want)
	}
}

func TestAppendFailure(t *testing.T) {
	got := string(AppendFailure(nil, bittorrent.FailurePortMissing, 1800*time.Second, 900*time.Second))
	want := "d14:failure reason75:port is missing: it needs the number of the port that the client listens on" +
		"8:intervali1800e12:min intervali900ee"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for f := bittorrent.FailureNone + 1; int(f) < bittorrent.FailureCount; f++ {
		got := string(AppendFailure(nil, f, time.Hour, 899*time.Second))
		_, retry, _ := strings.Cut(got, "8:retry in")
		want := ""
		switch {
		case f.Permanent():
			want = "5:nevere"
		case f.Temporary():
			want = "2:15e"
		}
		if retry != want {
			t.Errorf("%s: `retry in` is %q, want %q", f.Label(), retry, want)
		}
	}
}
