package load

import "spate/internal/bittorrent"

// population is one worker's peers under the lives model. Peers are chosen at
// random, so each announces at exponentially distributed intervals.
type population struct {
	peers []life
	slots int // addresses; peer i has address i mod slots
	base  int // number of the first peer among those of all workers
}

// life is one peer. A peer that has ended is replaced in place.
type life struct {
	torrent  int32
	port     uint16
	shape    uint8
	seeder   bool
	started  bool
	inFlight bool // an announce of it is unanswered
	id       [20]byte
	key      uint32
}

func newPopulation(s *source, worker int) *population {
	n := max(1, s.cfg.Peers.Number/s.cfg.NumWorkers)
	slots := min(s.address.number, n)
	p := &population{peers: make([]life, n), slots: slots, base: worker * ((n + slots - 1) / slots) * slots}
	for i := range p.peers {
		p.replace(s, i)
	}
	return p
}

// replace lets a new peer take the place of peer i. Ports are spread so that no
// two living peers of one address share one.
func (p *population) replace(s *source, i int) {
	shape := s.pickShape()
	p.peers[i] = life{
		torrent: int32(s.skew.pick(s.rng)),
		port:    uint16(1024 + (p.base+i)/p.slots%64000),
		shape:   shape,
		seeder:  s.chance(s.cfg.Torrents.PeerSeederProbability),
		id:      s.shapes[shape].newPeerID(s.rng),
		key:     s.rng.Uint32(),
	}
}

// next chooses a peer of the given address slot (any, where it is negative) and
// lets it live on.
func (p *population) next(s *source, r *request, slot int) {
	i := p.choose(s, slot)
	l := &p.peers[i]
	r.peer = i
	r.torrent = int(l.torrent)
	r.shape = s.shapes[l.shape]
	r.addr = s.address.told(i % p.slots)
	event := bittorrent.EventNone
	numWant := r.shape.numWant
	switch {
	case !l.started:
		event = bittorrent.EventStarted
		l.started = true
	case s.chance(1 / s.cfg.Peers.MeanAnnounces):
		event = bittorrent.EventStopped
		if numWant > 0 {
			numWant = 0
		}
	case !l.seeder && s.chance(s.cfg.Peers.CompleteProbability):
		event = bittorrent.EventCompleted
		l.seeder = true
	}
	r.a = announce{
		infoHash: s.hashes[l.torrent], peerID: l.id, port: l.port, key: l.key,
		seeder: l.seeder, event: r.shape.says(event), numWant: numWant,
	}
	if event == bittorrent.EventStopped && (r.shape.onlyStarts || s.chance(s.cfg.Peers.VanishProbability)) {
		// It goes without a word: what is sent instead is a newcomer's start.
		p.replace(s, i)
		p.next(s, r, i%p.slots)
		return
	}
	l.inFlight = true
}

// choose returns a peer without an announce under way, if a few tries find one.
func (p *population) choose(s *source, slot int) int {
	i := 0
	for range 8 {
		if slot < 0 {
			i = s.rng.IntN(len(p.peers))
		} else {
			own := slot % p.slots
			i = own + p.slots*s.rng.IntN((len(p.peers)-own+p.slots-1)/p.slots)
		}
		if !p.peers[i].inFlight {
			break
		}
	}
	return i
}

// ended notes that peer i's announce was answered, or given up.
func (p *population) ended(s *source, i int, event bittorrent.Event) {
	p.peers[i].inFlight = false
	if event == bittorrent.EventStopped {
		p.replace(s, i)
	}
}
