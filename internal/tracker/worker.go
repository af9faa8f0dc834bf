package tracker

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/httpwire"
	"spate/internal/ipaddr"
)

// Worker handles requests one after another. It owns the scratch memory that
// they need, its random numbers and its counters; one goroutine at a time may
// use it.
type Worker struct {
	t      *Tracker
	counts *counters
	rng    *rand.PCG

	request  bittorrent.AnnounceRequest
	announce bittorrent.Announce
	reply    bittorrent.AnnounceReply
	scrape   bittorrent.ScrapeRequest
	entries  []bittorrent.ScrapeEntry
}

// NewWorker returns a worker of t, whose counters stay with t for good: it is
// for a loop or a pool, not for a connection.
func (t *Tracker) NewWorker() *Worker {
	return &Worker{
		t:      t,
		counts: t.newCounters(),
		rng:    rand.NewPCG(rand.Uint64(), rand.Uint64()),
	}
}

// Handle answers the request for path and query that came from client, at
// now, the time since the process started, and appends the reply's body to
// dst. When path is none of the tracker's it appends nothing and known is
// false. It keeps nothing of path, query and dst, and allocates only where
// dst is too small.
func (w *Worker) Handle(now time.Duration, client netip.Addr, path, query, dst []byte) (body []byte, known bool) {
	route := httpwire.ParsePath(path)
	if route == httpwire.RouteUnknown {
		return dst, false
	}
	sampled := w.counts.sampleNext()
	var start time.Duration
	if sampled {
		start = w.t.policy.clock()
	}

	client = client.Unmap().WithZone("")
	if route == httpwire.RouteAnnounce {
		dst = w.handleAnnounce(now, client, query, dst)
	} else {
		dst = w.handleScrape(now, client, query, dst)
	}

	if sampled {
		w.counts.latency.observe(w.t.policy.clock() - start)
	}
	return dst, true
}

func (w *Worker) handleAnnounce(now time.Duration, client netip.Addr, query, dst []byte) []byte {
	interval := w.interval()
	if f := w.tryAnnounce(now, client, query); f != bittorrent.FailureNone {
		w.counts.failed(KindAnnounce, familyOf(client), f)
		return httpwire.AppendFailure(dst, f, interval, w.t.policy.minInterval)
	}
	w.counts.announced(familyOf(client), &w.announce, &w.reply)
	w.reply.Interval = interval
	return httpwire.AppendAnnounceReply(dst, &w.reply)
}

// tryAnnounce takes an announce up to the store. When it fails, the store has
// not been changed.
func (w *Worker) tryAnnounce(now time.Duration, client netip.Addr, query []byte) bittorrent.Failure {
	p := &w.t.policy
	req := &w.request
	if f := httpwire.ParseAnnounce(query, req); f != bittorrent.FailureNone {
		return f
	}
	if !w.t.allows(&req.InfoHash) {
		return bittorrent.FailureUnregistered
	}
	addr := p.peerAddr(client, req)
	if !addr.IsValid() {
		return bittorrent.FailureClientAddress
	}
	public := isPublic(addr)
	w.announce = bittorrent.Announce{
		InfoHash:    req.InfoHash,
		Addr:        addr,
		Port:        req.Port,
		Seeder:      req.Seeder,
		Event:       req.Event,
		NumWant:     p.numWant(req.NumWant),
		HidePrivate: p.hidePrivate(public),
	}
	r := &w.reply
	r.Compact = req.Compact
	r.Requester6 = addr.Is6()
	r.MinInterval = p.minInterval
	r.ExternalIP = netip.Addr{}
	if public {
		r.ExternalIP = addr
	}
	return w.t.store.Announce(now, &w.announce, r)
}

// peerAddr returns the address that a peer goes by: its source's, or, from a
// trusted source, the one that it claims. Of several claims `ip` counts before
// the one of the source's own family, and that before the other.
func (p *policy) peerAddr(source netip.Addr, r *bittorrent.AnnounceRequest) netip.Addr {
	if !p.trusted.Contains(source) {
		return source
	}
	first, second := r.IPv4, r.IPv6
	if source.Is6() {
		first, second = second, first
	}
	switch {
	case ipaddr.Usable(r.IP):
		return r.IP
	case ipaddr.Usable(first):
		return first
	case ipaddr.Usable(second):
		return second
	default:
		return source
	}
}

// interval returns the configured interval with the jitter of one reply.
func (w *Worker) interval() time.Duration {
	p := &w.t.policy
	// A multiply-shift of 32 random bits: without a division, and even to
	// within 2^-32 × the range.
	spread := (w.rng.Uint64() >> 32) * (uint64(p.jitterSeconds) + 1) >> 32
	return p.interval + time.Duration(spread)*time.Second
}
