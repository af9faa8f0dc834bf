package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
)

const (
	announceInterval = 30 * time.Minute
	cleaningInterval = 2 * time.Minute
	// Of 100 peers in each interval, how many leave without a word while
	// another comes, how many restart on another port, and how many change
	// between seeder and leecher.
	leavers, restarters, flippers = 10, 5, 10
)

// A filler plays the peers of a row.
type filler struct {
	row
	store *swarm.Store
	rng   *rand.Rand
	now   time.Duration
	peers []peer
	reply bittorrent.AnnounceReply
	fresh uint32 // number of the next peer that was never seen
}

// A peer is one that announces again and again.
type peer struct {
	number  uint32
	torrent uint32
	port    uint16
	seeder  bool
}

func newFiller(w row) (*filler, error) {
	cfg := swarm.DefaultConfig()
	cfg.MaxPeerAge = announceInterval + 5*time.Minute
	store, err := swarm.New(cfg)
	if err != nil {
		return nil, err
	}
	f := &filler{row: w, store: store, rng: rand.New(rand.NewPCG(1, 1)), peers: make([]peer, w.peers)}
	// Touched before the first look at the resident size: the peers' side of
	// the test is not the store's.
	for i := range f.peers {
		f.peers[i] = f.newPeer()
	}
	return f, nil
}

func (f *filler) newPeer() peer {
	n := f.fresh
	f.fresh++
	u := f.rng.Float64()
	torrent := uint32(u * u * u * float64(f.torrents))
	if f.flat {
		torrent = n % uint32(f.torrents)
	}
	return peer{number: n, torrent: torrent, port: 6881, seeder: f.rng.IntN(3) == 0}
}

func (f *filler) announce(p *peer, event bittorrent.Event) {
	a := bittorrent.Announce{Port: p.port, Seeder: p.seeder, Event: event}
	binary.BigEndian.PutUint64(a.InfoHash[:], uint64(p.torrent)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint32(a.InfoHash[16:], p.torrent)
	var addr [16]byte
	binary.BigEndian.PutUint32(addr[:], 0x20010000)
	binary.BigEndian.PutUint32(addr[4:], p.number)
	a.Addr = netip.AddrFrom16(addr)
	if !f.six {
		binary.BigEndian.PutUint32(addr[:], 0x14000000+p.number)
		a.Addr = netip.AddrFrom4([4]byte(addr[:4]))
	}
	f.store.Announce(f.now, &a, &f.reply)
}

func (f *filler) fill() {
	for i := range f.peers {
		f.announce(&f.peers[i], bittorrent.EventStarted)
	}
}

// churn lets a time go by in which every peer announces once an interval.
func (f *filler) churn(length time.Duration) {
	const step = 10 * time.Second
	steps := int(announceInterval / step)
	for i := range int(length / step) {
		f.now += step
		for j := i % steps; j < len(f.peers); j += steps {
			p := &f.peers[j]
			switch n := f.rng.IntN(100); {
			case n < leavers:
				*p = f.newPeer()
			case n < leavers+restarters:
				p.port = uint16(10_000 + f.rng.IntN(50_000))
			case n < leavers+restarters+flippers:
				p.seeder = !p.seeder
			}
			f.announce(p, bittorrent.EventNone)
		}
		if f.now%cleaningInterval == 0 {
			f.sweep()
		}
	}
}

// expire lets everything expire.
func (f *filler) expire() {
	f.now += announceInterval + 10*time.Minute
	f.sweep()
	f.sweep()
}

func (f *filler) sweep() {
	for f.store.Sweep(f.now, nil) {
	}
}
