package swarmtest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
)

// A comparison runs the same random operations on a store and on the model, and
// fails where they differ by more than whom a sample happens to hold.
type comparison struct {
	testing.TB
	cfg   swarm.Config
	store Store
	model *Model
	rng   *rand.Rand
	now   time.Duration
	swept time.Duration // when the last pass was

	// What the operations are drawn from; changed now and then, so that swarms
	// grow to thousands and shrink to nothing.
	hashes, sources, ports int
	stop, flip, six        float64
	last                   map[source]time.Duration
	reply, other           bittorrent.AnnounceReply
}

// A source is what has to announce at different times for "the oldest" to mean
// one record.
type source struct {
	hash bittorrent.InfoHash
	addr netip.Addr
}

// Compare runs steps random operations, chosen by seed, on a store made by open
// and on the model. Replies, scrapes and Stats have to be equal, but for which
// peers are in a sample: those have to be eligible, distinct, as many of each
// family and of each kind as docs/protocol.md says. It calls CheckInvariants now and
// then and at the end.
func Compare(t testing.TB, open New, cfg swarm.Config, seed uint64, steps int) {
	t.Helper()
	model, err := NewModel(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &comparison{
		TB: t, cfg: cfg, store: open(t, cfg), model: model,
		rng:  rand.New(rand.NewPCG(seed, 2)),
		last: map[source]time.Duration{},
	}
	for step := range steps {
		if step%2000 == 0 {
			c.change()
		}
		switch n := c.rng.IntN(2000); {
		case n < 1:
			c.sweep()
		case n < 60:
			c.scrape()
		default:
			c.announce()
		}
		if step%20_000 == 0 {
			c.check()
		}
	}
	c.check()
	for _, silence := range []time.Duration{2 * c.cfg.MaxPeerAge, c.cfg.DownloadedMemory + time.Second} {
		c.now += silence
		c.pass(nil)
		c.check()
	}
	if s := c.store.Stats(); s.Torrents+s.Remembered+s.Peers4+s.Peers6+s.Seeders+s.Leechers != 0 {
		t.Fatalf("after everything expired: %+v", s)
	}
}

// change draws what the next operations are drawn from.
func (c *comparison) change() {
	c.hashes = []int{1, 2, 10, 300, 3000}[c.rng.IntN(5)]
	c.sources = []int{1, 5, 40, 300, 3000}[c.rng.IntN(5)]
	c.ports = []int{1, 3, 100, 65000}[c.rng.IntN(4)]
	c.stop = []float64{0, 0.1, 0.4, 0.9}[c.rng.IntN(4)]
	c.flip = []float64{0, 0.02, 0.5}[c.rng.IntN(3)]
	c.six = []float64{0, 0.3, 1}[c.rng.IntN(3)]
	c.now += time.Duration(c.rng.IntN(500)) * time.Second
}

func (c *comparison) hash() bittorrent.InfoHash {
	var h bittorrent.InfoHash
	binary.BigEndian.PutUint32(h[16:], uint32(c.rng.IntN(c.hashes)))
	return h
}

// addr draws an address: mostly public, some private; IPv6 ones with several in
// one /64.
func (c *comparison) addr() netip.Addr {
	n := uint32(c.rng.IntN(c.sources))
	private := c.rng.IntN(10) == 0
	if c.rng.Float64() < c.six {
		a := [16]byte{0: 0x20, 1: 1, 15: byte(c.rng.IntN(4))}
		if private {
			a[0] = 0xfd
		}
		binary.BigEndian.PutUint32(a[4:], n)
		return netip.AddrFrom16(a)
	}
	a := [4]byte{20}
	if private {
		a[0] = 10
	}
	binary.BigEndian.PutUint16(a[2:], uint16(n))
	return netip.AddrFrom4(a)
}

func (c *comparison) announce() {
	a := bittorrent.Announce{
		InfoHash: c.hash(), Addr: c.addr(), Port: uint16(c.rng.IntN(c.ports)),
		NumWant: []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 10, 50, 2000}[c.rng.IntN(16)],
		Event:   []bittorrent.Event{bittorrent.EventNone, bittorrent.EventStarted, bittorrent.EventCompleted, bittorrent.EventPaused}[c.rng.IntN(4)],
	}
	a.Seeder = (a.Port%3 == 0) != (c.rng.Float64() < c.flip)
	a.HidePrivate = c.rng.IntN(10) == 0
	if c.rng.Float64() < c.stop {
		a.Event = bittorrent.EventStopped
	}
	if c.rng.IntN(40) == 0 {
		c.now += time.Duration(c.rng.IntN(5)) * time.Second
	}
	src := source{a.InfoHash, a.Addr}
	if a.Addr.Is6() {
		b := a.Addr.As16()
		src.addr = netip.AddrFrom16([16]byte(append(b[:8:8], make([]byte, 8)...)))
	}
	if last, seen := c.last[src]; seen && last == c.now {
		c.now += time.Second
	}
	c.last[src] = c.now
	// Without a pass for longer than this a store drops on its own what is old,
	// and the model does not: see "expiry after a long silence".
	if c.now-c.swept > c.cfg.MaxPeerAge {
		c.pass(nil)
	}

	got := c.store.Announce(c.now, &a, &c.reply)
	quiet := a
	quiet.NumWant = 0
	want := c.model.Announce(c.now, &quiet, &c.other)
	r, o := &c.reply, &c.other
	if got != want || r.Complete != o.Complete || r.Incomplete != o.Incomplete || r.Downloaded != o.Downloaded {
		c.Fatalf("%+v: failure %d and counts %d/%d/%d, want %d and %d/%d/%d", a,
			got, r.Complete, r.Incomplete, r.Downloaded, want, o.Complete, o.Incomplete, o.Downloaded)
	}
	c.sample(&a)
}

// sample compares the peers of the last reply with whom the model allows.
func (c *comparison) sample(a *bittorrent.Announce) {
	peers := Peers(&c.reply)
	if a.Event == bittorrent.EventStopped || a.NumWant == 0 {
		if len(peers) > 0 {
			c.Fatalf("%+v: got %d peers", a, len(peers))
		}
		return
	}
	c.model.mu.Lock()
	defer c.model.mu.Unlock()
	t := c.model.torrents[a.InfoHash]
	if t == nil {
		return
	}
	own, other, limit := c.model.eligible(t, a)
	gotOwn, gotOther := len(c.reply.Peers)/bittorrent.CompactLen4, len(c.reply.Peers6)/bittorrent.CompactLen6
	if a.Addr.Is6() {
		gotOwn, gotOther = gotOther, gotOwn
	}
	wantOwn := min(limit, len(own))
	if wantOther := min(limit-wantOwn, len(other)); gotOwn != wantOwn || gotOther != wantOther {
		c.Fatalf("%+v: %d and %d peers, want %d and %d", a, gotOwn, gotOther, wantOwn, wantOther)
	}
	eligible := make(map[netip.AddrPort]bool, len(own)+len(other))
	for _, p := range slices.Concat(own, other) {
		eligible[p] = true
	}
	seeders := 0
	for _, p := range peers {
		if !eligible[p] {
			c.Fatalf("%+v: got %v, who is twice in the reply or not eligible", a, p)
		}
		delete(eligible, p)
		seeders += btoi(t.peers[p].seeder && p.Addr().Is4() == a.Addr.Is4())
	}
	all := 0
	for _, p := range own {
		all += btoi(t.peers[p].seeder)
	}
	if wantOwn > 0 && (seeders < wantOwn*all/len(own) || seeders > (wantOwn*all+len(own)-1)/len(own)) {
		c.Fatalf("%+v: %d seeders of %d peers, where %d of %d are", a, seeders, wantOwn, all, len(own))
	}
}

func (c *comparison) scrape() {
	e := bittorrent.ScrapeEntry{InfoHash: c.hash()}
	o := e
	c.store.Scrape(c.now, &e)
	c.model.Scrape(c.now, &o)
	if e != o {
		c.Fatalf("scrape: %+v, want %+v", e, o)
	}
}

// sweep makes a pass over both, now and then with a few hashes refused.
func (c *comparison) sweep() {
	allowed := func(*bittorrent.InfoHash) bool { return true }
	switch refused := uint32(c.rng.IntN(100)); {
	case refused < 20:
		allowed = nil
	case refused < 40:
		allowed = func(h *bittorrent.InfoHash) bool { return binary.BigEndian.Uint32(h[16:])%20 != refused-20 }
	}
	c.pass(allowed)
}

func (c *comparison) pass(allowed func(*bittorrent.InfoHash) bool) {
	c.swept = c.now
	for c.store.Sweep(c.now, allowed) {
	}
	c.model.Sweep(c.now, allowed)
}

func (c *comparison) check() {
	if err := c.store.CheckInvariants(); err != nil {
		c.Fatalf("CheckInvariants: %v", err)
	}
	got, want := c.store.Stats(), c.model.Stats()
	got.Memory = 0
	if got != want {
		c.Fatalf("stats: %+v, want %+v", got, want)
	}
	c.scrapeAll(want.Torrents)
}

// scrapeAll compares all torrents, of which there are n.
func (c *comparison) scrapeAll(n int) {
	got, whole := c.store.ScrapeAll(c.now, n, nil)
	want, _ := c.model.ScrapeAll(c.now, n, nil)
	for _, all := range [][]bittorrent.ScrapeEntry{got, want} {
		slices.SortFunc(all, func(a, b bittorrent.ScrapeEntry) int { return bytes.Compare(a.InfoHash[:], b.InfoHash[:]) })
	}
	if !whole || !slices.Equal(got, want) {
		c.Fatalf("scrape of all %d torrents: whole %v, %+v, want %+v", n, whole, got, want)
	}
}
