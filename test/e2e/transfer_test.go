package e2e

import (
	"testing"
	"time"

	"spate/test/e2e/client"
	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

// Deadlines of a transfer's stages. They are bounds and not expectations: rounds
// end within twenty seconds. A rare one takes a minute and a half longer, because
// Transmission waits 90 seconds for blocks that a peer was asked for and does not
// send before it asks another.
const (
	seedWithin   = 45 * time.Second
	fetchWithin  = 150 * time.Second
	settleWithin = 30 * time.Second
)

// briskConfig has clients announce again soon. The swarms are so small that a
// leecher whose one connection ends has nobody left until it asks again. Some
// clients wait five minutes whatever they are told, so peers are kept as long as
// by default.
const briskConfig = `
[protocol]
peer_announce_interval = 15
min_announce_interval = 15
[cleaning]
max_peer_age = 1800
`

// TestTransfers has each make of client seed a torrent to all the others, over
// each family, with the tracker as the only way to find one another.
func TestTransfers(t *testing.T) {
	kinds := client.Kinds(programs.anacrolix)
	for _, family := range []lab.Families{lab.IPv4, lab.IPv6} {
		t.Run(family.String(), func(t *testing.T) {
			t.Parallel()
			network := lab.NewNetwork(t)
			tracker := network.NewHost(t, "tracker", lab.Dual)
			spate := startSpate(t, tracker, briskConfig)
			url := announceURL("http", tracker.Addr(family), trackerPort)
			answers(t, tracker, url, spate)
			t.Run("rounds", func(t *testing.T) {
				for i, seeder := range kinds {
					t.Run(seeder.Name+" seeds", func(t *testing.T) {
						t.Parallel()
						files := swarm.Single
						if (i+int(family))%2 == 0 {
							files = swarm.Multi
						}
						round{network: network, tracker: tracker, url: url, family: family}.run(t, seeder, kinds, files)
					})
				}
			})
		})
	}
}

// A round is one torrent that one client seeds and several fetch.
type round struct {
	network *lab.Network
	tracker *lab.Host
	url     string // to put into the torrent
	family  lab.Families
	ca      string // authority that the clients trust, for HTTPS

	scrapeURL string // where the test itself asks; "" for url
}

// run starts the seeder and then one leecher of each other kind, waits until all
// have the same content and the tracker counts them as they are, then stops all
// and waits until the tracker knows nobody.
func (r round) run(t *testing.T, seeder client.Kind, kinds []client.Kind, files []swarm.File) {
	torrent := swarm.New(t, "round of "+seeder.Name, files, r.url)
	if r.scrapeURL == "" {
		r.scrapeURL = r.url
	}
	peers := []*client.Peer{seeder.Start(t, client.Job{
		Host:    r.network.NewHost(t, seeder.Name, r.family),
		Torrent: torrent.Path, Dir: torrent.Dir, Seed: true, CA: r.ca,
	})}
	counts(t, seedWithin, r.tracker, r.scrapeURL, torrent, peers, swarm.Counts{Complete: 1})

	quiet := 0
	for _, kind := range kinds {
		if kind.Name == seeder.Name {
			continue
		}
		if kind.Quiet {
			quiet++
		}
		peers = append(peers, kind.Start(t, client.Job{
			Host:    r.network.NewHost(t, kind.Name, r.family),
			Torrent: torrent.Path, Dir: t.TempDir(), CA: r.ca,
		}))
	}
	for _, p := range peers[1:] {
		lab.Eventually(t, fetchWithin, p.Kind.Name+"'s copy", func() error { return torrent.Same(p.Dir) }, processes(peers)...)
	}

	// Quiet clients may or may not have announced since they had everything.
	downloaded := len(peers) - 1 - quiet
	var want []swarm.Counts
	for late := range quiet + 1 {
		want = append(want, swarm.Counts{Complete: len(peers) - late, Incomplete: late, Downloaded: downloaded})
	}
	counts(t, settleWithin, r.tracker, r.scrapeURL, torrent, peers, want...)
	for _, p := range peers {
		p.Leave(t)
	}
	counts(t, settleWithin, r.tracker, r.scrapeURL, torrent, nil, swarm.Counts{Downloaded: downloaded})
}

// TestTransferAcrossFamilies: one swarm holds both families. A leecher with both,
// which announces over IPv4, is told of a seeder that has IPv6 only.
func TestTransferAcrossFamilies(t *testing.T) {
	t.Parallel()
	network := lab.NewNetwork(t)
	tracker := network.NewHost(t, "tracker", lab.Dual)
	spate := startSpate(t, tracker, briskConfig)
	four, six := announceURL("http", tracker.IPv4, trackerPort), announceURL("http", tracker.IPv6, trackerPort)
	answers(t, tracker, four, spate)
	kinds := client.Kinds(programs.anacrolix)
	transmission, aria2 := kinds[0], kinds[1]

	torrent := swarm.New(t, "across families", swarm.Multi, six)
	seeder := aria2.Start(t, client.Job{
		Host: network.NewHost(t, "six", lab.IPv6), Torrent: torrent.Path, Dir: torrent.Dir, Seed: true,
	})
	counts(t, seedWithin, tracker, four, torrent, []*client.Peer{seeder}, swarm.Counts{Complete: 1})
	leecher := transmission.Start(t, client.Job{
		Host: network.NewHost(t, "both", lab.Dual), Torrent: torrent.Through(t, four).Path, Dir: t.TempDir(),
	})
	peers := []*client.Peer{seeder, leecher}
	lab.Eventually(t, fetchWithin, "copy", func() error { return torrent.Same(leecher.Dir) }, processes(peers)...)
	counts(t, settleWithin, tracker, six, torrent, peers, swarm.Counts{Complete: 2, Downloaded: 1})
}
