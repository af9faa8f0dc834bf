// Package swarmtest holds what a swarm store is measured against: a naive
// model of how swarms behave (docs/protocol.md), a conformance suite that any store
// has to pass, and a comparison of a store with the model over random
// operations.
package swarmtest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
)

// Store is what the suite needs of a store. *swarm.Store and *Model have it.
type Store interface {
	Announce(now time.Duration, a *bittorrent.Announce, r *bittorrent.AnnounceReply) bittorrent.Failure
	Scrape(now time.Duration, e *bittorrent.ScrapeEntry)
	ScrapeAll(now time.Duration, limit int, dst []bittorrent.ScrapeEntry) (_ []bittorrent.ScrapeEntry, whole bool)
	Sweep(now time.Duration, allowed func(*bittorrent.InfoHash) bool) (more bool)
	Stats() swarm.Stats
	CheckInvariants() error
}

// maxSeedersForSeeder is how many seeders a seeder gets where there is no leecher.
const maxSeedersForSeeder = 10

// Model is the store as one would explain it: maps of peers, no thought of
// memory or time. It is safe for concurrent use. It has no limit of memory.
type Model struct {
	cfg swarm.Config

	mu         sync.Mutex // guards all below
	torrents   map[bittorrent.InfoHash]*modelTorrent
	remembered map[bittorrent.InfoHash]modelMemory
	rng        *rand.Rand
	stats      swarm.Stats
	announces  uint64
}

type modelTorrent struct {
	peers      map[netip.AddrPort]*modelPeer
	downloaded uint32
}

type modelPeer struct {
	seen                      time.Duration
	order                     uint64 // of the last announce, among all
	seeder, paused, completed bool
}

type modelMemory struct {
	since      time.Duration
	downloaded uint32
}

// NewModel returns an empty model.
func NewModel(cfg swarm.Config) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Model{
		cfg:        cfg,
		torrents:   map[bittorrent.InfoHash]*modelTorrent{},
		remembered: map[bittorrent.InfoHash]modelMemory{},
		rng:        rand.New(rand.NewPCG(cfg.Seed, 1)),
	}, nil
}

// Announce does what swarm.Store.Announce does.
func (m *Model) Announce(now time.Duration, a *bittorrent.Announce, r *bittorrent.AnnounceReply) bittorrent.Failure {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Complete, r.Incomplete, r.Downloaded, r.Peers, r.Peers6 = 0, 0, 0, r.Peers[:0], r.Peers6[:0]
	t := m.torrents[a.InfoHash]
	self := netip.AddrPortFrom(a.Addr, a.Port)
	if a.Event == bittorrent.EventStopped {
		if t != nil {
			delete(t.peers, self)
			m.dropIfEmpty(now, a.InfoHash)
			m.count(t, r)
		} else {
			r.Downloaded = m.remembered[a.InfoHash].downloaded
		}
		return bittorrent.FailureNone
	}
	if t == nil {
		if m.cfg.MaxTorrents > 0 && len(m.torrents) >= m.cfg.MaxTorrents {
			m.stats.RefusedTorrents++
			return bittorrent.FailureFull
		}
		t = &modelTorrent{peers: map[netip.AddrPort]*modelPeer{}, downloaded: m.remembered[a.InfoHash].downloaded}
		delete(m.remembered, a.InfoHash)
		m.torrents[a.InfoHash] = t
	}
	p := t.peers[self]
	if p == nil {
		m.makeRoom(t, a.Addr)
		p = &modelPeer{}
		t.peers[self] = p
	}
	m.announces++
	p.order = m.announces
	p.seen, p.seeder, p.paused = now, a.Seeder, a.Event == bittorrent.EventPaused && !a.Seeder
	if a.Event == bittorrent.EventCompleted && a.Seeder && !p.completed {
		p.completed = true
		t.downloaded++
	}
	m.count(t, r)
	m.sample(t, a, r)
	return bittorrent.FailureNone
}

// makeRoom removes the oldest peers of an address that is at its limit.
func (m *Model) makeRoom(t *modelTorrent, addr netip.Addr) {
	if m.cfg.MaxPeersPerIP == 0 || Private(addr) {
		return
	}
	for {
		n, oldest := 0, netip.AddrPort{}
		for other, p := range t.peers {
			if sameSource(other.Addr(), addr) {
				if n++; n == 1 || p.order < t.peers[oldest].order {
					oldest = other
				}
			}
		}
		if n < m.cfg.MaxPeersPerIP {
			return
		}
		delete(t.peers, oldest)
		m.stats.ReplacedPeers++
	}
}

// sample fills r's peers.
func (m *Model) sample(t *modelTorrent, a *bittorrent.Announce, r *bittorrent.AnnounceReply) {
	if a.NumWant == 0 {
		return
	}
	own, other, limit := m.eligible(t, a)
	for _, list := range [][]netip.AddrPort{own, other} {
		m.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		// Seeders first, then as many of each kind as their share says.
		slices.SortStableFunc(list, func(x, y netip.AddrPort) int {
			return cmp.Compare(btoi(t.peers[y].seeder), btoi(t.peers[x].seeder))
		})
		seeders := 0
		for _, p := range list {
			seeders += btoi(t.peers[p].seeder)
		}
		want := min(limit, len(list))
		limit -= want
		if want == 0 {
			continue
		}
		fromSeeders := (want*seeders + m.rng.IntN(len(list))) / len(list)
		for _, p := range slices.Concat(list[:fromSeeders], list[seeders:seeders+want-fromSeeders]) {
			if p.Addr().Is4() {
				r.Peers = AppendCompact(r.Peers, p)
			} else {
				r.Peers6 = AppendCompact(r.Peers6, p)
			}
		}
	}
}

// eligible returns whom the sender of a may be given, of its own family and of
// the other, and how many at most of both together.
func (m *Model) eligible(t *modelTorrent, a *bittorrent.Announce) (own, other []netip.AddrPort, limit int) {
	collect := func(seeders bool) {
		own, other = nil, nil
		for ap, p := range t.peers {
			if ap.Port() < 2 || ap == netip.AddrPortFrom(a.Addr, a.Port) || (a.HidePrivate && Hidden(ap.Addr())) {
				continue
			}
			if a.Seeder && p.seeder != seeders {
				continue
			}
			if ap.Addr().Is4() == a.Addr.Is4() {
				own = append(own, ap)
			} else {
				other = append(other, ap)
			}
		}
	}
	limit = a.NumWant
	collect(false)
	if a.Seeder && len(own)+len(other) == 0 {
		collect(true)
		limit = min(limit, maxSeedersForSeeder)
	}
	return own, other, limit
}

func (m *Model) count(t *modelTorrent, r *bittorrent.AnnounceReply) {
	r.Downloaded = t.downloaded
	for _, p := range t.peers {
		if p.seeder {
			r.Complete++
		} else {
			r.Incomplete++
		}
	}
}

// ScrapeEach does what swarm.Store.ScrapeEach does.
func (m *Model) ScrapeEach(now time.Duration, entries []bittorrent.ScrapeEntry) {
	for i := range entries {
		m.Scrape(now, &entries[i])
	}
}

// Scrape does what swarm.Store.Scrape does.
func (m *Model) Scrape(_ time.Duration, e *bittorrent.ScrapeEntry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*e = bittorrent.ScrapeEntry{InfoHash: e.InfoHash, Downloaded: m.remembered[e.InfoHash].downloaded}
	if t := m.torrents[e.InfoHash]; t != nil {
		t.scrape(e)
	}
}

// ScrapeAll does what swarm.Store.ScrapeAll does.
func (m *Model) ScrapeAll(_ time.Duration, limit int, dst []bittorrent.ScrapeEntry) (_ []bittorrent.ScrapeEntry, whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.torrents) > limit {
		return dst, false
	}
	for hash, t := range m.torrents {
		e := bittorrent.ScrapeEntry{InfoHash: hash}
		t.scrape(&e)
		dst = append(dst, e)
	}
	return dst, true
}

// scrape fills e's counts, which are zero.
func (t *modelTorrent) scrape(e *bittorrent.ScrapeEntry) {
	e.Downloaded = t.downloaded
	for _, p := range t.peers {
		switch {
		case p.seeder:
			e.Complete++
		case p.paused:
			e.Incomplete++
		default:
			e.Incomplete++
			e.Downloaders++
		}
	}
}

// Sweep makes a whole pass at once, so it never says that there is more.
func (m *Model) Sweep(now time.Duration, allowed func(*bittorrent.InfoHash) bool) (more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for hash, t := range m.torrents {
		if allowed != nil && !allowed(&hash) {
			m.stats.RefusedPeers += uint64(len(t.peers))
			delete(m.torrents, hash)
			continue
		}
		for ap, p := range t.peers {
			if now-p.seen > m.cfg.MaxPeerAge {
				delete(t.peers, ap)
				m.stats.ExpiredPeers++
			}
		}
		m.dropIfEmpty(now, hash)
	}
	for hash, r := range m.remembered {
		if now-r.since > m.cfg.DownloadedMemory || (allowed != nil && !allowed(&hash)) {
			delete(m.remembered, hash)
		}
	}
	m.stats.Passes++
	return false
}

func (m *Model) dropIfEmpty(now time.Duration, hash bittorrent.InfoHash) {
	t := m.torrents[hash]
	if len(t.peers) > 0 {
		return
	}
	delete(m.torrents, hash)
	if t.downloaded > 0 && m.cfg.DownloadedMemory > 0 {
		m.remembered[hash] = modelMemory{since: now, downloaded: t.downloaded}
	}
}

// Stats does what swarm.Store.Stats does, but for Memory, which is 0.
func (m *Model) Stats() swarm.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Torrents, s.Remembered = len(m.torrents), len(m.remembered)
	for _, t := range m.torrents {
		var families [2]int
		for ap, p := range t.peers {
			families[btoi(ap.Addr().Is6())] = 1
			s.Seeders += btoi(p.seeder)
			s.Seeders4 += btoi(p.seeder && ap.Addr().Is4())
			s.Seeders6 += btoi(p.seeder && ap.Addr().Is6())
			s.Leechers += btoi(!p.seeder)
			s.Peers4 += btoi(ap.Addr().Is4())
			s.Peers6 += btoi(ap.Addr().Is6())
		}
		s.Torrents4 += families[0]
		s.Torrents6 += families[1]
	}
	return s
}

// CheckInvariants reports a torrent without peers.
func (m *Model) CheckInvariants() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for hash, t := range m.torrents {
		if len(t.peers) == 0 {
			return fmt.Errorf("torrent %v has no peers", hash)
		}
	}
	return nil
}
