package load

import (
	"math/rand/v2"
	"net/netip"
	"strings"

	"spate/internal/bittorrent"
)

// torrentsOf returns the info hashes of a run. They follow from their index and
// the seed.
func torrentsOf(n int, seed uint64) []bittorrent.InfoHash {
	rng := rand.New(rand.NewPCG(0x5ba7e, seed))
	hashes := make([]bittorrent.InfoHash, n)
	for i := range hashes {
		for j := range hashes[i] {
			hashes[i][j] = byte(rng.Uint32())
		}
	}
	return hashes
}

// TorrentHashes returns the info hashes that a run with n torrents announces,
// in order, for trackers that want a list of what they may serve. Two runs, and two
// trackers, see the same ones; but see CheckConfig.FreshTorrents.
func TorrentHashes(n int) []bittorrent.InfoHash { return torrentsOf(n, usualSeed) }

// usualSeed is that of all runs' info hashes but those that want fresh ones.
const usualSeed = 0x70bbe27

// request is one request, as it is on the wire and as what it means.
type request struct {
	kind    Kind
	head    []byte // the whole request
	close   bool   // the connection ends after the reply
	shape   *shape
	a       announce // of an announce
	torrent int      // of an announce
	addr    netip.Addr
	peer    int   // index in the population, or -1
	scraped []int // torrents of a scrape
}

// source makes one worker's requests.
type source struct {
	cfg      *Config
	rng      *rand.Rand
	hashes   []bittorrent.InfoHash
	skew     skew
	address  addressing
	shapes   []*shape
	weights  int
	host     string
	people   *population // nil for the gamma model
	announce float64     // share of announces among the requests
}

func newSource(cfg *Config, hashes []bittorrent.InfoHash, worker int) *source {
	s := &source{
		cfg:      cfg,
		rng:      rand.New(rand.NewPCG(uint64(worker), 0x59a7e)),
		hashes:   hashes,
		skew:     skew{cfg.Torrents.Distribution, cfg.Torrents.TorrentGammaShape, cfg.Torrents.TorrentGammaScale, len(hashes) - 1},
		address:  newAddressing(&cfg.Addresses),
		host:     cfg.ServerAddress,
		announce: float64(cfg.Torrents.WeightAnnounce) / float64(cfg.Torrents.WeightAnnounce+cfg.Torrents.WeightScrape),
	}
	for _, sh := range shapes() {
		if cfg.Mix.Client == sh.name {
			s.shapes = []*shape{sh}
			s.weights = 0
			break
		}
		if cfg.Mix.Client == clientMixed && sh.weight > 0 {
			s.shapes = append(s.shapes, sh)
			s.weights += sh.weight
		}
	}
	if cfg.Peers.Model == modelLives {
		s.people = newPopulation(s, worker)
	}
	return s
}

// pickShape returns the client of a new peer.
func (s *source) pickShape() uint8 {
	if s.weights == 0 {
		return 0
	}
	n := s.rng.IntN(s.weights)
	for i, sh := range s.shapes {
		if n -= sh.weight; n < 0 {
			return uint8(i)
		}
	}
	return 0
}

// next fills r with the worker's next request. slot is the number of the
// address that the connection has, or -1 where each request may have its own;
// own is the address that the tracker sees for the connection itself.
func (s *source) next(r *request, slot int, own netip.Addr) {
	r.head = r.head[:0]
	r.peer = -1
	r.scraped = r.scraped[:0]
	if s.rng.Float64() >= s.announce {
		s.nextScrape(r, slot, own)
		return
	}
	if s.people != nil {
		s.people.next(s, r, slot)
	} else {
		s.nextStranger(r, slot)
	}
	if s.address.source == sourceOwn || s.address.source == sourceLoopback {
		r.addr = own
	}
	if len(s.cfg.Mix.NumWant) > 0 {
		r.a.numWant = s.cfg.Mix.NumWant[s.rng.IntN(len(s.cfg.Mix.NumWant))]
	}
	r.a.nonCompact = s.chance(s.cfg.Mix.NonCompact)
	if s.chance(s.cfg.Mix.Malformed) {
		s.malform(r)
		return
	}
	r.kind = KindAnnounce
	s.begin(r, "/announce")
	r.head = r.shape.appendQuery(r.head, &r.a)
	s.finish(r)
}

// nextStranger makes an announce by a peer that was never there before, as
// aquatic_http_load_test does: seeders say `completed`, leechers `started`.
func (s *source) nextStranger(r *request, slot int) {
	r.shape = s.shapes[s.pickShape()]
	r.torrent = s.skew.pick(s.rng)
	r.a = announce{
		infoHash: s.hashes[r.torrent],
		peerID:   r.shape.newPeerID(s.rng),
		port:     uint16(s.rng.Uint32()),
		key:      s.rng.Uint32(),
		event:    bittorrent.EventStarted,
		numWant:  r.shape.numWant,
	}
	if s.chance(s.cfg.Torrents.PeerSeederProbability) {
		r.a.seeder, r.a.event = true, bittorrent.EventCompleted
		if r.shape.onlyStarts {
			r.a.event = bittorrent.EventStarted
		}
	}
	if slot < 0 {
		slot = s.rng.IntN(s.address.number)
	}
	r.addr = s.address.told(slot)
}

func (s *source) nextScrape(r *request, slot int, own netip.Addr) {
	r.kind = KindScrape
	r.shape = s.shapes[s.pickShape()]
	r.addr = own
	if slot < 0 {
		r.addr = s.address.told(s.rng.IntN(s.address.number))
	}
	s.begin(r, "/scrape")
	m := &s.cfg.Mix
	for i := range m.ScrapeMin + s.rng.IntN(m.ScrapeMax-m.ScrapeMin+1) {
		t := s.skew.pick(s.rng)
		r.scraped = append(r.scraped, t)
		if i > 0 {
			r.head = append(r.head, '&')
		}
		r.head = append(r.head, "info_hash="...)
		r.head = r.shape.appendEscaped(r.head, s.hashes[t][:])
	}
	s.finish(r)
}

// slots returns how many addresses connections have in turn.
func (s *source) slots() int {
	if s.people != nil {
		return s.people.slots
	}
	return s.address.number
}

func (s *source) chance(p float64) bool { return p > 0 && s.rng.Float64() < p }

// begin appends the request line up to the query.
func (s *source) begin(r *request, path string) {
	r.head = append(r.head, "GET "...)
	r.head = append(r.head, path...)
	r.head = append(r.head, s.cfg.URLSuffix...)
	r.head = append(r.head, '?')
}

// finish appends the rest of the head.
func (s *source) finish(r *request) {
	if r.shape.http10 {
		r.head = append(r.head, " HTTP/1.0\r\n"...)
	} else {
		r.head = append(r.head, " HTTP/1.1\r\n"...)
	}
	switch {
	case r.shape.name == clientAquatic:
		r.head = append(r.head, "Host: localhost\r\n"...)
	case !r.shape.noHost:
		r.head = append(append(append(r.head, "Host: "...), s.host...), "\r\n"...)
	}
	r.head = append(r.head, r.shape.header...)
	r.close = r.shape.close || !s.cfg.KeepAlive
	// aquatic_http_load_test ends the connection by itself, without a word.
	switch {
	case r.close && !r.shape.close && r.shape.name != clientAquatic:
		r.head = append(r.head, "Connection: close\r\n"...)
	case !r.close && s.cfg.Mix.AskToKeep && !strings.Contains(r.shape.header, "Connection:"):
		r.head = append(r.head, "Connection: keep-alive\r\n"...)
	}
	r.head = s.address.appendHeader(r.head, r.addr)
	r.head = append(append(r.head, "\r\n"...), r.shape.trailer...)
}
