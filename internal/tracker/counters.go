package tracker

import (
	"math/bits"
	"net/netip"
	"sync/atomic"
	"time"

	"spate/internal/bittorrent"
)

// Kind is what a request asks.
type Kind uint8

// The kinds of requests.
const (
	KindAnnounce Kind = iota
	KindScrape
	// KindCount is how many kinds there are.
	KindCount
)

// Label returns the kind's name in metrics.
func (k Kind) Label() string { return [KindCount]string{"announce", "scrape"}[k] }

// Family is the address family of a request's client.
type Family uint8

// The families. A client without an address counts as FamilyIPv4.
const (
	FamilyIPv4 Family = iota
	FamilyIPv6
	// FamilyCount is how many families there are.
	FamilyCount
)

// Label returns the family's name in metrics.
func (f Family) Label() string { return [FamilyCount]string{"ipv4", "ipv6"}[f] }

func familyOf(addr netip.Addr) Family {
	if addr.Is6() {
		return FamilyIPv6
	}
	return FamilyIPv4
}

// EventCount is how many values of bittorrent.Event there are.
const EventCount = int(bittorrent.EventPaused) + 1

// EventLabel returns the event's name in metrics; none is "regular".
func EventLabel(e bittorrent.Event) string {
	return [EventCount]string{"regular", "started", "stopped", "completed", "paused"}[e]
}

// Counters is what was counted since the start. All of it only grows.
type Counters struct {
	// Announces are the announces that succeeded.
	Announces [FamilyCount][EventCount]uint64
	// Scrapes are the scrapes that succeeded, ScrapedTorrents the torrents
	// that they were answered for.
	Scrapes         [FamilyCount]uint64
	ScrapedTorrents uint64
	// Failures are the requests that were refused; FailureNone stays 0.
	Failures [KindCount][FamilyCount][bittorrent.FailureCount]uint64
	// PeersHandedOut are the peers in replies to announces.
	PeersHandedOut uint64
	// UnreachablePorts are announces of port 0 or 1, which are answered, but
	// whose peers nobody is given.
	UnreachablePorts uint64
	// Latency is how long one request in LatencySampling took from path to
	// body.
	Latency Latency
}

const (
	// LatencySampling: every so many requests one is timed. Two readings of
	// the clock cost 75 ns, so that the sampling costs a little over 1 ns a
	// request.
	LatencySampling = 64
	// LatencyBuckets is how many buckets a latency histogram has.
	LatencyBuckets = 20

	latencyFirst = 250 * time.Nanosecond

	// highestUnreachablePort: clients that do not listen announce port 0 or 1.
	highestUnreachablePort = 1
)

// Latency is a histogram of handling times.
type Latency struct {
	// Buckets hold observations up to and including LatencyBound(i) that are
	// above LatencyBound(i-1); the last one also all above.
	Buckets [LatencyBuckets + 1]uint64
	Sum     time.Duration
}

// LatencyBound returns the upper bound of bucket i, i below LatencyBuckets:
// 250 ns and its doubles, 1 µs among them, up to 131 ms.
func LatencyBound(i int) time.Duration { return latencyFirst << i }

// Requests returns how many requests of kind k came from family f, refused
// ones included.
func (c *Counters) Requests(k Kind, f Family) (n uint64) {
	if k == KindAnnounce {
		for _, e := range c.Announces[f] {
			n += e
		}
	} else {
		n = c.Scrapes[f]
	}
	for _, failure := range c.Failures[k][f] {
		n += failure
	}
	return n
}

// counters are one worker's. One goroutine writes them and any may read, so
// they are atomic; but with one writer there is nothing to contend for, and
// each request is one increment of one counter, since announces are counted by
// family and event in one table and sums are left to the reader (ADR 0060 has
// what else was measured). The padding keeps other workers' memory off the
// first and the last cache line.
type counters struct {
	_ [64]byte

	announces       [FamilyCount][EventCount]atomic.Uint64
	scrapes         [FamilyCount]atomic.Uint64
	scrapedTorrents atomic.Uint64
	failures        [KindCount][FamilyCount][bittorrent.FailureCount]atomic.Uint64
	peers           atomic.Uint64
	unreachable     atomic.Uint64
	latency         latency

	untilSample uint32 // requests until the next sample; the writer's own

	_ [64]byte
}

// latency is a Latency that one goroutine writes and any may read.
type latency struct {
	buckets [LatencyBuckets + 1]atomic.Uint64
	sum     atomic.Int64 // nanoseconds
}

func (l *latency) observe(d time.Duration) {
	d = max(d, 0)
	l.buckets[latencyBucket(d)].Add(1)
	l.sum.Add(int64(d))
}

// latencyBucket returns the first bucket whose bound is not below d.
func latencyBucket(d time.Duration) int {
	above := max(d-1, 0) / latencyFirst
	return min(bits.Len64(uint64(above)), LatencyBuckets)
}

// sampleNext reports whether this request's handling is to be timed.
func (c *counters) sampleNext() bool {
	if c.untilSample == 0 {
		c.untilSample = LatencySampling
	}
	c.untilSample--
	return c.untilSample == 0
}

func (c *counters) failed(k Kind, f Family, failure bittorrent.Failure) {
	c.failures[k][f][failure].Add(1)
}

// announced counts the announce a that was answered by r.
func (c *counters) announced(f Family, a *bittorrent.Announce, r *bittorrent.AnnounceReply) {
	c.announces[f][a.Event].Add(1)
	if n := len(r.Peers)/bittorrent.CompactLen4 + len(r.Peers6)/bittorrent.CompactLen6; n > 0 {
		c.peers.Add(uint64(n))
	}
	if a.Port <= highestUnreachablePort {
		c.unreachable.Add(1)
	}
}

func (c *counters) scraped(f Family, torrents int) {
	c.scrapes[f].Add(1)
	c.scrapedTorrents.Add(uint64(torrents))
}

// addTo adds c to sum. What is being counted meanwhile is in or not, each
// counter for itself.
func (c *counters) addTo(sum *Counters) {
	for f := range FamilyCount {
		for e := range c.announces[f] {
			sum.Announces[f][e] += c.announces[f][e].Load()
		}
		sum.Scrapes[f] += c.scrapes[f].Load()
		for k := range KindCount {
			for i := range c.failures[k][f] {
				sum.Failures[k][f][i] += c.failures[k][f][i].Load()
			}
		}
	}
	sum.ScrapedTorrents += c.scrapedTorrents.Load()
	sum.PeersHandedOut += c.peers.Load()
	sum.UnreachablePorts += c.unreachable.Load()
	for i := range c.latency.buckets {
		sum.Latency.Buckets[i] += c.latency.buckets[i].Load()
	}
	sum.Latency.Sum += time.Duration(c.latency.sum.Load())
}

// newCounters registers the counters of a new worker.
func (t *Tracker) newCounters() *counters {
	c := new(counters)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.workers = append(t.workers, c)
	return c
}

// Counters returns the sum over all workers, at any time.
func (t *Tracker) Counters() Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	var sum Counters
	for _, c := range t.workers {
		c.addTo(&sum)
	}
	return sum
}

// WorkerCounters returns the counters of each worker, in the order
// in which they were made.
func (t *Tracker) WorkerCounters() []Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Counters, len(t.workers))
	for i, c := range t.workers {
		c.addTo(&list[i])
	}
	return list
}
