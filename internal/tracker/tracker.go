// Package tracker is the policy between the wire and the store: which request
// this is, whether its torrent is served, how much a client gets, and what a
// refused one is told. It knows no sockets and no HTTP beyond a path and a
// query, and it allocates nothing per request.
package tracker

import (
	"errors"
	"math"
	"sync"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/ipaddr"
)

// Store is what the tracker needs of the swarms. It is called by many workers
// at once.
type Store interface {
	// Announce applies a and fills Complete, Incomplete, Downloaded, Peers and
	// Peers6 of r. Its failure is FailureNone or FailureFull.
	Announce(now time.Duration, a *bittorrent.Announce, r *bittorrent.AnnounceReply) bittorrent.Failure
	// ScrapeEach fills the counts of the torrents that entries name, zeros where
	// they are unknown.
	ScrapeEach(now time.Duration, entries []bittorrent.ScrapeEntry)
	// ScrapeAll appends an entry for each torrent, in any order. It is not whole
	// where there are more than limit.
	ScrapeAll(now time.Duration, limit int, dst []bittorrent.ScrapeEntry) (_ []bittorrent.ScrapeEntry, whole bool)
}

// AccessList says which torrents are served. It is called by many workers at
// once.
type AccessList interface {
	Allows(h *bittorrent.InfoHash) bool
}

// Tracker holds what all workers share: the policy, the store and the list.
type Tracker struct {
	policy policy
	store  Store
	access AccessList
	full   fullScrapes

	mu      sync.Mutex // guards workers
	workers []*counters
}

// New returns a tracker over store. A nil access serves every torrent. Its
// error is what Config.Validate says.
func New(cfg Config, store Store, access AccessList) (*Tracker, error) {
	if _, err := cfg.Validate(); err != nil {
		return nil, err
	}
	if store == nil {
		return nil, errors.New("tracker: it needs a store")
	}
	p, err := newPolicy(&cfg)
	if err != nil {
		return nil, err
	}
	t := &Tracker{policy: p, store: store, access: access}
	t.full = fullScrapes{t: t, wanted: make(chan struct{}, 1)}
	return t, nil
}

// allows reports whether the torrent h is served.
func (t *Tracker) allows(h *bittorrent.InfoHash) bool {
	return t.access == nil || t.access.Allows(h)
}

// policy is a Config worked out for the hot path.
type policy struct {
	interval, minInterval time.Duration
	jitterSeconds         uint32 // the jitter is 0 to this, inclusive
	maxPeers              int
	defaultPeers          int
	maxScrape             int
	maxFullScrape         int
	private               PrivatePeers
	trusted               *ipaddr.PrefixSet
	clock                 func() time.Duration
}

func newPolicy(cfg *Config) (policy, error) {
	trusted, err := ipaddr.NewPrefixSet(cfg.TrustedPeerAddresses)
	if err != nil {
		return policy{}, err
	}
	p := policy{
		interval:      cfg.Interval,
		minInterval:   cfg.ToldMinInterval(),
		maxPeers:      min(cfg.MaxPeers, MaxPeersLimit),
		maxScrape:     int(min(cfg.MaxScrapeTorrents, math.MaxInt32)),
		maxFullScrape: cfg.MaxFullScrapeTorrents,
		private:       cfg.PrivatePeers,
		trusted:       trusted,
		clock:         cfg.Clock,
	}
	p.jitterSeconds = uint32(cfg.jitter() / time.Second)
	p.defaultPeers = min(defaultNumWant, p.maxPeers)
	if p.clock == nil {
		start := time.Now()
		p.clock = func() time.Duration { return time.Since(start) }
	}
	return p, nil
}

// numWant turns what a client wants into how many peers it may get.
func (p *policy) numWant(asked int) int {
	if asked < 0 {
		return p.defaultPeers
	}
	return min(asked, p.maxPeers)
}

// hidePrivate reports whether a client, at a public address or not, is kept
// from seeing peers with private addresses.
func (p *policy) hidePrivate(public bool) bool {
	switch p.private {
	case PrivatePeersAlways:
		return false
	case PrivatePeersNever:
		return true
	default:
		return public
	}
}
