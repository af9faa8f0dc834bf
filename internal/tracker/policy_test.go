package tracker_test

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/httpwire"
	"spate/internal/swarm"
	"spate/internal/tracker"
)

// steady is a policy whose interval is too short to be jittered, so that
// replies can be compared whole.
func steady() tracker.Config {
	cfg := tracker.Default()
	cfg.Interval = 8 * time.Second
	return cfg
}

// refusing is an access list that serves all torrents but these.
type refusing map[bittorrent.InfoHash]bool

func (r refusing) Allows(h *bittorrent.InfoHash) bool { return !r[*h] }

// fixture is a tracker with one worker.
type fixture struct {
	t *testing.T
	*tracker.Tracker
	worker *tracker.Worker
	store  *swarm.Store
	now    time.Duration
	parsed bittorrent.AnnounceReply // the last reply to an announce
}

func newFixture(t *testing.T, cfg tracker.Config, list tracker.AccessList) *fixture {
	t.Helper()
	scfg := swarm.DefaultConfig()
	scfg.Seed = 1
	store, err := swarm.New(scfg)
	if err != nil {
		t.Fatalf("swarm.New: %v", err)
	}
	tr, err := tracker.New(cfg, store, list)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := store.CheckInvariants(); err != nil {
			t.Errorf("the store after the test: %v", err)
		}
	})
	return &fixture{t: t, Tracker: tr, worker: tr.NewWorker(), store: store}
}

// get returns the body for target, asked by client, which a strict client has
// to understand.
func (f *fixture) get(client, target string) string {
	f.t.Helper()
	f.now += time.Second
	path, query, _ := strings.Cut(target, "?")
	body, known := f.worker.Handle(f.now, netip.MustParseAddr(client), []byte(path), []byte(query), nil)
	if !known {
		f.t.Fatalf("GET %s: is not the tracker's", target)
	}
	var err error
	if strings.HasPrefix(path, "/announce") {
		err = httpwire.ParseAnnounceReply(body, &f.parsed)
	} else {
		_, err = httpwire.ParseScrapeReply(body, nil)
	}
	if err != nil && !errors.Is(err, httpwire.ErrFailure) {
		f.t.Errorf("GET %s: %v: %q", target, err, body)
	}
	return string(body)
}

// announce announces port to the torrent named c with further parameters.
func (f *fixture) announce(client string, c byte, port int, more string) string {
	f.t.Helper()
	return f.get(client, fmt.Sprintf("/announce?info_hash=%s&peer_id=-SP0001-abcdefghijkl&port=%d&left=1%s",
		url.QueryEscape(hash(c)), port, more))
}

func (f *fixture) want(got, want string) {
	f.t.Helper()
	if got != want {
		f.t.Errorf("reply:\n got %q\nwant %q", got, want)
	}
}

func hash(c byte) string { return strings.Repeat(string(c), bittorrent.InfoHashLen) }

// reply writes a compact reply to a first announce of a leecher with the
// fixture's intervals.
func reply(externalIP, peers string) string {
	if externalIP != "" {
		externalIP = fmt.Sprintf("11:external ip%d:%s", len(externalIP), externalIP)
	}
	return "d8:completei0e10:downloadedi0e" + externalIP + "10:incompletei1e8:intervali8e12:min intervali4e5:peers" + peers + "e"
}

const (
	noPeers  = "0:"
	noPeers6 = "0:6:peers60:"
)

func TestExternalIPOnlyOfPublicSources(t *testing.T) {
	for _, tc := range []struct{ client, want string }{
		{"198.18.0.9", reply("\xc6\x12\x00\x09", noPeers)},
		{"8.8.8.8", reply("\x08\x08\x08\x08", noPeers)},
		{"2a00::9", reply("\x2a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09", noPeers6)},
		{"::ffff:8.8.8.8", reply("\x08\x08\x08\x08", noPeers)},
		{"10.1.2.3", reply("", noPeers)},
		{"172.31.0.1", reply("", noPeers)},
		{"192.168.7.7", reply("", noPeers)},
		{"::ffff:192.168.7.7", reply("", noPeers)},
		{"127.0.0.1", reply("", noPeers)},
		{"169.254.1.1", reply("", noPeers)},
		{"100.64.0.1", reply("", noPeers)},
		{"100.127.255.255", reply("", noPeers)},
		{"100.128.0.1", reply("\x64\x80\x00\x01", noPeers)},
		{"0.1.2.3", reply("", noPeers)},
		{"169.253.1.1", reply("\xa9\xfd\x01\x01", noPeers)},
		{"172.32.0.1", reply("\xac\x20\x00\x01", noPeers)},
		{"192.167.0.1", reply("\xc0\xa7\x00\x01", noPeers)},
		{"223.255.255.255", reply("\xdf\xff\xff\xff", noPeers)},
		{"224.0.0.1", reply("", noPeers)},
		{"240.0.0.1", reply("", noPeers)},
		{"255.255.255.255", reply("", noPeers)},
		{"::1", reply("", noPeers6)},
		{"fe80::1", reply("", noPeers6)},
		{"fe80::1%eth0", reply("", noPeers6)},
		{"fd00::1", reply("", noPeers6)},
		{"ff02::1", reply("", noPeers6)},
	} {
		t.Run(tc.client, func(t *testing.T) {
			f := newFixture(t, steady(), nil)
			f.want(f.announce(tc.client, 'a', 6881, ""), tc.want)
		})
	}
}

func TestIntervals(t *testing.T) {
	cfg := steady()
	cfg.MinInterval = 3 * time.Second
	f := newFixture(t, cfg, nil)
	f.want(f.announce("10.0.0.1", 'a', 6881, ""),
		"d8:completei0e10:downloadedi0e10:incompletei1e8:intervali8e12:min intervali3e5:peers0:e")
	f.want(f.get("10.0.0.1", "/scrape?info_hash="+hash('z')),
		"d5:filesd20:"+hash('z')+"d8:completei0e10:downloadedi0e11:downloadersi0e10:incompletei0eee5:flagsd20:min_request_intervali3eee")
}

func TestIntervalIsJitteredByATenth(t *testing.T) {
	f := newFixture(t, tracker.Default(), nil)
	const shortest, longest, replies = 1800, 1980, 20000
	seen := make(map[int]int)
	for range replies {
		var seconds, least int
		body := f.announce("10.0.0.1", 'a', 6881, "&numwant=0")
		_, tail, _ := strings.Cut(body, "8:interval")
		if _, err := fmt.Sscanf(tail, "i%de12:min intervali%de", &seconds, &least); err != nil {
			t.Fatalf("no intervals in %q: %v", body, err)
		}
		if seconds < shortest || seconds > longest || least != 900 {
			t.Fatalf("interval %d, min interval %d: want %d to %d, and 900", seconds, least, shortest, longest)
		}
		seen[seconds]++
	}
	// 181 values in 20,000 replies: one that never came, or came five times too
	// often, is one in 10^48.
	for s := shortest; s <= longest; s++ {
		if seen[s] == 0 || seen[s] > 5*replies/(longest-shortest+1) {
			t.Errorf("interval %d came %d times in %d replies", s, seen[s], replies)
		}
	}
}

func TestFailures(t *testing.T) {
	const tail = "8:intervali8e12:min intervali4ee"
	f := newFixture(t, steady(), refusing{bittorrent.InfoHash([]byte(hash('x'))): true})
	failure := func(failure bittorrent.Failure) string {
		return fmt.Sprintf("d14:failure reason%d:%s", len(failure.Reason()), failure.Reason()) + tail
	}
	f.want(f.get("10.0.0.1", "/announce"), failure(bittorrent.FailureInfoHashMissing))
	f.want(f.get("10.0.0.1", "/announce?info_hash="+hash('a')+"&peer_id=abcdefghijklmnopqrst"), failure(bittorrent.FailurePortMissing))
	f.want(f.announce("10.0.0.1", 'a', 70000, ""), failure(bittorrent.FailurePortInvalid))
	f.want(f.get("10.0.0.1", "/scrape"), failure(bittorrent.FailureScrapeEmpty))

	refused := f.announce("10.0.0.1", 'x', 6881, "")
	f.want(refused, strings.TrimSuffix(failure(bittorrent.FailureUnregistered), "e")+"8:retry in5:nevere")
	if !strings.Contains(refused, "unregistered torrent") {
		t.Errorf("a refused torrent's reply does not say so to Transmission: %q", refused)
	}
	if n := f.store.Stats().Torrents; n != 0 {
		t.Errorf("after failures only the store has %d torrents", n)
	}

	c := f.Counters()
	for _, want := range []struct {
		kind    tracker.Kind
		failure bittorrent.Failure
	}{
		{tracker.KindAnnounce, bittorrent.FailureInfoHashMissing},
		{tracker.KindAnnounce, bittorrent.FailurePortMissing},
		{tracker.KindAnnounce, bittorrent.FailurePortInvalid},
		{tracker.KindAnnounce, bittorrent.FailureUnregistered},
		{tracker.KindScrape, bittorrent.FailureScrapeEmpty},
	} {
		if n := c.Failures[want.kind][tracker.FamilyIPv4][want.failure]; n != 1 {
			t.Errorf("%s %s: counted %d times, want once", want.kind.Label(), want.failure.Label(), n)
		}
	}
}

func TestInvalidClientAddressIsAFailure(t *testing.T) {
	f := newFixture(t, steady(), nil)
	query := "info_hash=" + hash('a') + "&peer_id=abcdefghijklmnopqrst&port=6881"
	body, known := f.worker.Handle(0, netip.Addr{}, []byte("/announce"), []byte(query), nil)
	if !known || !strings.Contains(string(body), bittorrent.FailureClientAddress.Reason()) {
		t.Errorf("an announce from nowhere: %q, %v", body, known)
	}
}

func TestFullStoreIsAFailure(t *testing.T) {
	cfg := swarm.DefaultConfig()
	cfg.MaxTorrents = 1
	store, err := swarm.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := tracker.New(steady(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, Tracker: tr, worker: tr.NewWorker(), store: store}
	f.want(f.announce("10.0.0.1", 'a', 6881, ""), reply("", noPeers))
	if got := f.announce("10.0.0.1", 'b', 6881, ""); !strings.Contains(got, bittorrent.FailureFull.Reason()) {
		t.Errorf("a torrent too many: %q", got)
	}
	if n := f.Counters().Failures[tracker.KindAnnounce][tracker.FamilyIPv4][bittorrent.FailureFull]; n != 1 {
		t.Errorf("full counted %d times", n)
	}
}

func TestScrape(t *testing.T) {
	cfg := steady()
	cfg.MaxScrapeTorrents = 3
	refused := refusing{}
	f := newFixture(t, cfg, refused)
	f.announce("10.0.0.1", 'a', 6881, "")
	f.announce("10.0.0.2", 'a', 6881, "&left=0")
	f.announce("10.0.0.3", 'a', 6881, "&event=paused")
	f.announce("10.0.0.1", 'x', 6881, "")
	refused[bittorrent.InfoHash([]byte(hash('x')))] = true

	file := func(c byte, complete, downloaders, incomplete int) string {
		return fmt.Sprintf("20:%sd8:completei%de10:downloadedi0e11:downloadersi%de10:incompletei%dee", hash(c), complete, downloaders, incomplete)
	}
	const flags = "e5:flagsd20:min_request_intervali4eee"
	for _, tc := range []struct{ name, hashes, want string }{
		{"known", "a", file('a', 1, 1, 2)},
		{"unknown", "z", file('z', 0, 0, 0)},
		{"refused", "x", file('x', 0, 0, 0)},
		{"several, sorted and once each", "zaza", file('a', 1, 1, 2) + file('z', 0, 0, 0)},
		{"the first three of more", "dcba", file('b', 0, 0, 0) + file('c', 0, 0, 0) + file('d', 0, 0, 0)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var query []string
			for _, c := range []byte(tc.hashes) {
				query = append(query, "info_hash="+hash(c))
			}
			f.t = t
			f.want(f.get("10.0.0.9", "/scrape?"+strings.Join(query, "&")), "d5:filesd"+tc.want+flags)
		})
	}
}

func TestRoutes(t *testing.T) {
	f := newFixture(t, steady(), nil)
	for _, path := range []string{"/announce", "//announce", "/announce/", "/announce.php", "/scrape", "/scrape.php"} {
		if _, known := f.worker.Handle(0, netip.MustParseAddr("10.0.0.1"), []byte(path), nil, nil); !known {
			t.Errorf("%s is not the tracker's", path)
		}
	}
	for _, path := range []string{"", "/", "/index.html", "/stats", "/announcement"} {
		body, known := f.worker.Handle(0, netip.MustParseAddr("10.0.0.1"), []byte(path), nil, []byte("before"))
		if known || string(body) != "before" {
			t.Errorf("%s: %q, %v: want nothing appended, and unknown", path, body, known)
		}
	}
	c := f.Counters()
	if a, s := c.Requests(tracker.KindAnnounce, tracker.FamilyIPv4), c.Requests(tracker.KindScrape, tracker.FamilyIPv4); a != 4 || s != 2 {
		t.Errorf("counted %d announces and %d scrapes, want 4 and 2", a, s)
	}
}

func TestReplyIsAppended(t *testing.T) {
	f := newFixture(t, steady(), nil)
	body, _ := f.worker.Handle(0, netip.MustParseAddr("10.0.0.1"), []byte("/scrape"), []byte("info_hash="+hash('a')), []byte("head"))
	if !strings.HasPrefix(string(body), "headd5:files") {
		t.Errorf("reply: %q", body)
	}
}
