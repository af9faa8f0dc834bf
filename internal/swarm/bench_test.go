package swarm_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
)

// hashOf returns the i-th of many info hashes.
func hashOf(i uint64) (h bittorrent.InfoHash) {
	binary.BigEndian.PutUint64(h[:], i*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(h[8:], i)
	return h
}

// addrOf returns the i-th of many public IPv4 addresses.
func addrOf(i uint32) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 0x14000000+i)
	return netip.AddrFrom4(a)
}

// addr6Of returns the i-th of many IPv6 addresses, each of its own /64.
func addr6Of(i uint32) netip.Addr {
	a := [16]byte{0: 0x20, 1: 0x01, 15: 1}
	binary.BigEndian.PutUint32(a[4:], i)
	return netip.AddrFrom16(a)
}

func newStore(b testing.TB, change ...func(*swarm.Config)) *swarm.Store {
	cfg := swarm.DefaultConfig()
	for _, c := range change {
		c(&cfg)
	}
	s, err := swarm.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// fillSwarm puts n peers, a third of them seeders, into one torrent.
func fillSwarm(s *swarm.Store, hash bittorrent.InfoHash, n int) {
	var r bittorrent.AnnounceReply
	for i := range n {
		s.Announce(0, &bittorrent.Announce{InfoHash: hash, Addr: addrOf(uint32(i)), Port: 6881, Seeder: i%3 == 0}, &r)
	}
}

// A caller is what one goroutine of a benchmark announces with. Two of them share
// no cache line: the benchmark's own writes would be what it measures.
type caller struct {
	_     [128]byte
	rng   rand.PCG
	a     bittorrent.Announce
	r     bittorrent.AnnounceReply
	peers [512]byte
	six   [1024]byte
	_     [128]byte
}

func newCaller(hash bittorrent.InfoHash, seed uint64) *caller {
	c := &caller{rng: *rand.NewPCG(seed, 0), a: bittorrent.Announce{InfoHash: hash, Port: 6881, NumWant: 50}}
	c.r.Peers, c.r.Peers6 = c.peers[:0], c.six[:0]
	return c
}

// number returns a random number below n.
func (c *caller) number(n uint32) uint32 { return uint32(c.rng.Uint64() >> 32 * uint64(n) >> 32) }

// announcer announces random known peers of a swarm of n as leechers or seeders.
func announcer(s *swarm.Store, hash bittorrent.InfoHash, n int, seed uint64) func() {
	c := newCaller(hash, seed)
	return func() {
		i := c.number(uint32(n))
		c.a.Addr, c.a.Seeder = addrOf(i), i%3 == 0
		s.Announce(time.Second, &c.a, &c.r)
	}
}

// measure runs op as often as the benchmark wants, and reports the processor time
// of one besides.
func measure(b *testing.B, op func()) {
	b.ReportAllocs()
	begin := cpuTime(b)
	for b.Loop() {
		op()
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func benchmarkSwarm(b *testing.B, n int) {
	s := newStore(b)
	fillSwarm(s, hashOf(1), n)
	measure(b, announcer(s, hashOf(1), n, 1))
}

// The budget is 400 ns for 10,000 peers; the others show that size costs only
// cache misses, and those of a million not one after the other (prefetch).
func BenchmarkAnnounce10k(b *testing.B)  { benchmarkSwarm(b, 10_000) }
func BenchmarkAnnounce3(b *testing.B)    { benchmarkSwarm(b, 3) }
func BenchmarkAnnounce30(b *testing.B)   { benchmarkSwarm(b, 30) }
func BenchmarkAnnounce1k(b *testing.B)   { benchmarkSwarm(b, 1_000) }
func BenchmarkAnnounce100k(b *testing.B) { benchmarkSwarm(b, 100_000) }
func BenchmarkAnnounce1M(b *testing.B)   { benchmarkSwarm(b, 1_000_000) }

// parallel runs op, which announcer made, on each processor at once. RunParallel
// is no use here: its goroutines now and then write to one cache line.
func parallel(b *testing.B, announcer func(processor int) func()) {
	processors := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	begin := cpuTime(b)
	b.ResetTimer()
	for processor := range processors {
		wg.Go(func() {
			announce := announcer(processor)
			for range b.N / processors {
				announce()
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64((cpuTime(b)-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// BenchmarkAnnounceHotParallel is -cpu 1,2,… on one torrent: ns/op may not rise.
func BenchmarkAnnounceHotParallel(b *testing.B) {
	s := newStore(b)
	fillSwarm(s, hashOf(1), 10_000)
	parallel(b, func(processor int) func() { return announcer(s, hashOf(1), 10_000, uint64(processor)) })
}

// BenchmarkAnnounceParallel is -cpu 1,2,… on torrents of their own, each in another
// shard.
func BenchmarkAnnounceParallel(b *testing.B) {
	s := newStore(b)
	hashes, shards := []bittorrent.InfoHash{}, map[int]bool{}
	for i := uint64(0); len(hashes) < runtime.GOMAXPROCS(0); i++ {
		if shard := s.ShardOf(hashOf(i)); !shards[shard] {
			shards[shard] = true
			fillSwarm(s, hashOf(i), 10_000)
			hashes = append(hashes, hashOf(i))
		}
	}
	parallel(b, func(processor int) func() { return announcer(s, hashes[processor], 10_000, uint64(processor)) })
}

// longTail announces draws peers over torrents with an index of torrents·u³.
func longTail(s *swarm.Store, torrents, peers int, addr func(uint32) netip.Addr) {
	rng := rand.New(rand.NewPCG(1, 0))
	var r bittorrent.AnnounceReply
	for i := range peers {
		u := rng.Float64()
		a := bittorrent.Announce{
			InfoHash: hashOf(uint64(float64(torrents) * u * u * u)), Addr: addr(uint32(i)), Port: 6881, Seeder: i%3 == 0,
		}
		s.Announce(0, &a, &r)
	}
}

// BenchmarkAnnounceCold1M announces to random ones of 1,000,000 torrents: what it
// costs is cache misses.
func BenchmarkAnnounceCold1M(b *testing.B) {
	s := newStore(b)
	const torrents, peers = 1_000_000, 5_000_000
	longTail(s, torrents, peers, addrOf)
	rng := rand.New(rand.NewPCG(1, 0))
	known := make([]float64, peers)
	for i := range known {
		known[i] = rng.Float64()
	}
	a := &bittorrent.Announce{Port: 6881, NumWant: 50}
	r := &bittorrent.AnnounceReply{Peers: make([]byte, 0, 512), Peers6: make([]byte, 0, 1024)}
	measure(b, func() {
		i := rng.Uint32N(peers)
		u := known[i]
		a.InfoHash, a.Addr, a.Seeder = hashOf(uint64(torrents*u*u*u)), addrOf(i), i%3 == 0
		s.Announce(time.Second, a, r)
	})
}

// BenchmarkScrapeCold scrapes 64 random ones of 1,000,000 torrents at once.
func BenchmarkScrapeCold(b *testing.B) {
	s := newStore(b)
	const torrents = 1_000_000
	longTail(s, torrents, 5_000_000, addrOf)
	rng := rand.New(rand.NewPCG(1, 0))
	entries := make([]bittorrent.ScrapeEntry, 64)
	measure(b, func() {
		for i := range entries {
			entries[i].InfoHash = hashOf(rng.Uint64N(torrents))
		}
		s.ScrapeEach(0, entries)
	})
}

// BenchmarkSweep is a pass over 6,000,000 peers that are not old; max-ns is the
// processor time of its longest slice, which one shard is locked for.
func BenchmarkSweep(b *testing.B) {
	s := newStore(b)
	longTail(s, 1_000_000, 5_000_000, addrOf)
	fillSwarm(s, hashOf(1<<40), 1_000_000)
	benchmarkPass(b, s, time.Second)
}

// BenchmarkSweepExpired is a pass in which 6,000,000 peers expire.
func BenchmarkSweepExpired(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := newStore(b)
		longTail(s, 1_000_000, 5_000_000, addrOf)
		fillSwarm(s, hashOf(1<<40), 1_000_000)
		b.StartTimer()
		slices, longest := pass(b, s, swarm.DefaultConfig().MaxPeerAge+time.Minute, nil)
		b.ReportMetric(float64(longest.Nanoseconds()), "max-ns")
		b.ReportMetric(float64(slices), "slices")
	}
}

// BenchmarkSweepRefused is a pass that refuses a torrent of 5,000,000 peers.
func BenchmarkSweepRefused(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := newStore(b)
		fillSwarm(s, hashOf(1), 5_000_000)
		b.StartTimer()
		_, longest := pass(b, s, 0, func(*bittorrent.InfoHash) bool { return false })
		b.ReportMetric(float64(longest.Nanoseconds()), "max-ns")
	}
}

func benchmarkPass(b *testing.B, s *swarm.Store, now time.Duration) {
	var slices int
	var longest time.Duration
	for b.Loop() {
		n, l := pass(b, s, now, nil)
		slices, longest = n, max(longest, l)
	}
	b.ReportMetric(float64(longest.Nanoseconds()), "max-ns")
	b.ReportMetric(float64(slices), "slices")
}

// pass makes a pass of Sweep and returns its slices and the longest one.
func pass(b *testing.B, s *swarm.Store, now time.Duration, allowed func(*bittorrent.InfoHash) bool) (slices int, longest time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for more := true; more; slices++ {
		locked := !s.Trimming()
		begin := threadTime(b)
		more = s.Sweep(now, allowed)
		if took := threadTime(b) - begin; locked {
			longest = max(longest, took)
		}
	}
	return slices, longest
}

// BenchmarkForcedGC is a collection with 5,000,000 peers in the store.
func BenchmarkForcedGC(b *testing.B) {
	s := newStore(b)
	longTail(s, 1_000_000, 5_000_000, addrOf)
	runtime.GC()
	measure(b, runtime.GC)
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	longest := time.Duration(0)
	for _, p := range gc.Pause[:min(b.N, len(gc.Pause))] {
		longest = max(longest, p)
	}
	b.ReportMetric(float64(longest.Nanoseconds()), "max-pause-ns")
	runtime.KeepAlive(s)
}

// Hostile input, each to be compared with BenchmarkAnnounce10k.
func BenchmarkAnnounceHostile(b *testing.B) {
	const known = 10_000
	type hostile struct {
		name   string
		change func(*swarm.Config)
		next   func(i uint32, a *bittorrent.Announce)
	}
	noLimit := func(c *swarm.Config) { c.MaxPeersPerIP = 0 }
	one6 := netip.MustParseAddr("2001:db8::1").As16()
	for _, h := range []hostile{
		{"flip", nil, func(i uint32, a *bittorrent.Announce) { a.Addr, a.Seeder = addrOf(i%known), i/known%2 == 0 }},
		{"ports-of-one-address", nil, func(i uint32, a *bittorrent.Announce) { a.Addr, a.Port = addrOf(1), uint16(i) }},
		{"ports-of-a-private-address", nil, func(i uint32, a *bittorrent.Announce) {
			a.Addr, a.Port = netip.AddrFrom4([4]byte{10, 0, 0, 1}), uint16(i)
		}},
		{"ports-without-limit", noLimit, func(i uint32, a *bittorrent.Announce) { a.Addr, a.Port = addrOf(1), uint16(i) }},
		{"one-64", nil, func(i uint32, a *bittorrent.Announce) {
			binary.BigEndian.PutUint32(one6[12:], i)
			a.Addr = netip.AddrFrom16(one6)
		}},
		{"one-64-without-limit", noLimit, func(i uint32, a *bittorrent.Announce) {
			binary.BigEndian.PutUint32(one6[12:], i&0xffff)
			a.Addr = netip.AddrFrom16(one6)
		}},
		{"torrents-of-one-peer", nil, func(i uint32, a *bittorrent.Announce) { a.InfoHash, a.Addr = hashOf(uint64(i)%1_000_000+2), addrOf(i) }},
		{"info-hashes-alike", nil, func(i uint32, a *bittorrent.Announce) {
			binary.LittleEndian.PutUint32(a.InfoHash[16:], i%1_000_000)
			a.Addr = addrOf(i)
		}},
		{"come-and-go", nil, func(i uint32, a *bittorrent.Announce) {
			a.Addr, a.Event = addrOf(known+i/2), []bittorrent.Event{bittorrent.EventStarted, bittorrent.EventStopped}[i%2]
		}},
	} {
		b.Run(h.name, func(b *testing.B) {
			s := newStore(b, func(c *swarm.Config) {
				if h.change != nil {
					h.change(c)
				}
			})
			fillSwarm(s, hashOf(1), known)
			a := &bittorrent.Announce{InfoHash: hashOf(1), Port: 6881, NumWant: 50}
			r := &bittorrent.AnnounceReply{Peers: make([]byte, 0, 512), Peers6: make([]byte, 0, 1024)}
			i := uint32(0)
			measure(b, func() {
				h.next(i, a)
				s.Announce(time.Duration(i)*time.Microsecond, a, r)
				i++
			})
			if err := s.CheckInvariants(); err != nil {
				b.Fatal(fmt.Errorf("after %d: %w", i, err))
			}
		})
	}
}
