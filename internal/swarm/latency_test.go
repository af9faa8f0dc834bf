package swarm_test

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// BenchmarkAnnounceBeside is the latency of announces to a store of 5,000,000 peers,
// due every 4 µs, which is about half of what a core can do, while another core does
// nothing, sweeps as the tracker does, five slices every 20 ms, or writes snapshots
// as it does, for a fifth of the time. Latency counts from when an announce was due. The budget of p99.9 is twice
// that of "nothing". The three take turns of a second, an operation being one turn of
// each, since what else the machine does moves the quantiles of any of them tenfold:
// 30 and more (-benchtime 30x) make a ratio.
func BenchmarkAnnounceBeside(b *testing.B) {
	const torrents, peers = 1_000_000, 5_000_000
	s := newStore(b)
	longTail(s, torrents, peers, addrOf)
	c := newCaller(hashOf(0), 2)
	u := rand.New(&c.rng)
	announce := func() {
		u, i := u.Float64(), c.number(peers)
		c.a.InfoHash, c.a.Addr, c.a.Seeder = hashOf(uint64(torrents*u*u*u)), addrOf(i), i%3 == 0
		s.Announce(time.Second, &c.a, &c.r)
	}
	turns := []struct {
		name  string
		every time.Duration
		work  func()
		took  latencies
	}{
		{name: "nothing", every: time.Hour, work: func() {}},
		{name: "sweeps", every: 20 * time.Millisecond, work: func() {
			for range 5 {
				s.Sweep(time.Second, nil)
			}
		}},
		{name: "snapshots", every: time.Millisecond, work: func() { _ = s.Snapshot(&paced{awake: time.Now()}, time.Second) }}, // it cannot fail
	}
	for b.Loop() {
		for i := range turns {
			t := &turns[i]
			stop := beside(t.every, t.work)
			announceDue(announce, &t.took)
			stop()
		}
	}
	for i := range turns {
		t := &turns[i]
		b.ReportMetric(float64(t.took.quantile(0.5)), t.name+"-p50-ns")
		b.ReportMetric(float64(t.took.quantile(0.999)), t.name+"-p99.9-ns")
		b.ReportMetric(float64(t.took.quantile(0.999))/float64(turns[0].took.quantile(0.999)), t.name+"-p99.9-ratio")
	}
}

// paced is a writer that drops what it gets, and rests four times as long as it took.
type paced struct{ awake time.Time }

func (p *paced) Write(b []byte) (int, error) {
	if worked := time.Since(p.awake); worked >= time.Millisecond {
		<-time.After(4 * worked)
		p.awake = time.Now()
	}
	return len(b), nil
}

// beside does work at once and then every so often, on a goroutine of its own, until
// stop.
func beside(every time.Duration, work func()) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for {
			work()
			select {
			case <-done:
				return
			case <-ticks.C:
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// announceDue announces every 4 µs for a second and adds the latencies.
func announceDue(announce func(), l *latencies) {
	const every, length = 4 * time.Microsecond, time.Second
	begin := time.Now()
	for due := time.Duration(0); due < length; due += every {
		for time.Since(begin) < due {
		}
		announce()
		l.add(time.Since(begin) - due)
	}
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
