package swarm_test

import (
	"io"
	"math/bits"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
)

// BenchmarkAnnounceBeside is the latency of announces to a store of 5,000,000 peers,
// due every 4 µs, which is about half of what a core can do, while another core does
// nothing, sweeps as the tracker does, five slices every 20 ms, or writes a snapshot
// a second. Latency counts from when an announce was due. The budget of p99.9 is twice
// that of "nothing".
func BenchmarkAnnounceBeside(b *testing.B) {
	for _, test := range []struct {
		name  string
		every time.Duration
		work  func(s *swarm.Store)
	}{
		{"nothing", time.Hour, func(*swarm.Store) {}},
		{"sweeps", 20 * time.Millisecond, func(s *swarm.Store) {
			for range 5 {
				s.Sweep(time.Second, nil)
			}
		}},
		{"snapshots", time.Second, func(s *swarm.Store) { _ = s.Snapshot(io.Discard, time.Second) }}, // it cannot fail
	} {
		b.Run(test.name, func(b *testing.B) {
			s := newStore(b)
			const torrents, peers = 1_000_000, 5_000_000
			longTail(s, torrents, peers, addrOf)
			done := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				ticks := time.NewTicker(test.every)
				defer ticks.Stop()
				for {
					select {
					case <-done:
						return
					case <-ticks.C:
						test.work(s)
					}
				}
			})
			announceDue(b, s, torrents, peers)
			close(done)
			wg.Wait()
		})
	}
}

// announceDue announces to random torrents, one every 4 µs, and reports latencies.
func announceDue(b *testing.B, s *swarm.Store, torrents float64, peers uint32) {
	const every = 4 * time.Microsecond
	rng := rand.New(rand.NewPCG(2, 2))
	a := &bittorrent.Announce{Port: 6881, NumWant: 50}
	r := &bittorrent.AnnounceReply{Peers: make([]byte, 0, 512), Peers6: make([]byte, 0, 1024)}
	var l latencies
	begin, n := time.Now(), time.Duration(0)
	for b.Loop() {
		due := n * every
		n++
		for time.Since(begin) < due {
		}
		u, i := rng.Float64(), rng.Uint32N(peers)
		a.InfoHash, a.Addr, a.Seeder = hashOf(uint64(torrents*u*u*u)), addrOf(i), i%3 == 0
		s.Announce(time.Second, a, r)
		l.add(time.Since(begin) - due)
	}
	b.ReportMetric(float64(l.quantile(0.5)), "p50-ns")
	b.ReportMetric(float64(l.quantile(0.99)), "p99-ns")
	b.ReportMetric(float64(l.quantile(0.999)), "p99.9-ns")
}

// latencies is a histogram with sixteen buckets an octave.
type latencies struct {
	buckets [64 * 16]int
	n       int
}

func (l *latencies) add(d time.Duration) {
	octave := max(bits.Len64(uint64(d)), 5)
	l.buckets[octave*16+int(uint64(d)>>(octave-5))&15]++
	l.n++
}

// quantile returns the lower bound of the bucket in which a quantile lies.
func (l *latencies) quantile(q float64) time.Duration {
	below := 0
	for i, n := range l.buckets {
		if below += n; n > 0 && float64(below) >= q*float64(l.n) {
			octave := i / 16
			return time.Duration(16+i%16) << (octave - 5)
		}
	}
	return 0
}
