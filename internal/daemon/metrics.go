package daemon

import (
	"slices"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/metrics"
	"spate/internal/server"
	"spate/internal/tracker"
)

// loopWakes is how often a healthy event loop wakes up at least.
const loopWakes = time.Second

// snapshot gathers what all parts have counted, for the metrics.
func (d *Daemon) snapshot() metrics.Snapshot {
	health := d.health()
	return metrics.Snapshot{
		State:   health.State.String(),
		Saved:   d.savedSnapshot(),
		Tracker: d.trackerSnapshot(),
		Server:  d.serverSnapshot(),
		Store:   d.storeSnapshot(),
		Access:  d.accessSnapshot(),

		Certificates: d.certificates(),
	}
}

// certificates returns what TLS listeners present, one of each name: that which
// ends first.
func (d *Daemon) certificates() (all []metrics.Certificate) {
	add := func(c metrics.Certificate) {
		i := slices.IndexFunc(all, func(other metrics.Certificate) bool { return other.Name == c.Name })
		switch {
		case i < 0:
			all = append(all, c)
		case c.Expiry.Before(all[i].Expiry):
			all[i] = c
		}
	}
	for _, c := range d.server.Certificates() {
		add(metrics.Certificate{Name: certificateName(&c), Expiry: c.NotAfter})
	}
	if d.acme != nil {
		for _, c := range d.acme.Certificates() {
			add(metrics.Certificate{Name: c.Domain, Expiry: c.NotAfter})
		}
	}
	return all
}

// certificateName returns the first name that a certificate is for.
func certificateName(c *server.Certificate) string {
	if len(c.Names) > 0 {
		return c.Names[0]
	}
	return c.Chain
}

func (d *Daemon) trackerSnapshot() metrics.Tracker {
	total := d.tracker.Counters()
	s := metrics.Tracker{
		ScrapedTorrents:  total.ScrapedTorrents,
		PeersHandedOut:   total.PeersHandedOut,
		UnreachablePorts: total.UnreachablePorts,
		Latency:          metrics.Histogram{Buckets: total.Latency.Buckets[:], Sum: total.Latency.Sum},
	}
	for i := range tracker.LatencyBuckets {
		s.Latency.Bounds = append(s.Latency.Bounds, tracker.LatencyBound(i))
	}
	for e := range bittorrent.Event(tracker.EventCount) {
		s.Announces = append(s.Announces, metrics.ByFamily{
			Label: tracker.EventLabel(e),
			IPv4:  total.Announces[tracker.FamilyIPv4][e],
			IPv6:  total.Announces[tracker.FamilyIPv6][e],
		})
	}
	for worker, c := range d.tracker.WorkerCounters() {
		s.Requests = appendRequests(s.Requests, worker, &c)
	}
	return s
}

// appendRequests appends what one worker answered, by kind, family and outcome.
func appendRequests(all []metrics.Requests, worker int, c *tracker.Counters) []metrics.Requests {
	for kind := range tracker.KindCount {
		for family := range tracker.FamilyCount {
			add := func(outcome string, n uint64) {
				all = append(all, metrics.Requests{Worker: worker, Kind: kind.Label(), Family: family.Label(), Outcome: outcome, Value: n})
			}
			failed := uint64(0)
			for f := bittorrent.FailureNone + 1; int(f) < bittorrent.FailureCount; f++ {
				n := c.Failures[kind][family][f]
				add(f.Label(), n)
				failed += n
			}
			add(metrics.OutcomeOK, c.Requests(kind, family)-failed)
		}
	}
	return all
}

func (d *Daemon) serverSnapshot() metrics.Server {
	stats := d.server.Stats()
	s := metrics.Server{
		BytesIn:      stats.BytesIn,
		BytesOut:     stats.BytesOut,
		Accepted:     metrics.ByFamily{IPv4: stats.Accepted4, IPv6: stats.Accepted6},
		Open:         openStates(&stats),
		Limits:       []metrics.Count{{Label: "connections", Value: uint64(d.maxConnections.Load())}},
		Ended:        counts(stats.Ended),
		Refused:      counts(stats.Refused),
		Handshakes:   counts(stats.Handshakes),
		Resumed:      stats.Resumed,
		AcceptPauses: stats.AcceptPauses,
		AcceptErrors: stats.AcceptErrors,
	}
	for _, l := range stats.Loops {
		s.LoopStall = append(s.LoopStall, d.stall(&l))
		s.LoopBusy = append(s.LoopBusy, l.Busy)
		s.OpenByWorker = append(s.OpenByWorker, uint64(l.Connections()))
	}
	for i := range stats.Requests4 {
		s.Requests = append(s.Requests, metrics.ByFamily{
			Label: stats.Requests4[i].Label, IPv4: stats.Requests4[i].Value, IPv6: stats.Requests6[i].Value,
		})
	}
	return s
}

// openStates returns the open connections by what they wait for. The loops say
// what they had at their last wake-up, so the rest may be off by a few.
func openStates(stats *server.Stats) []metrics.Count {
	var head, idle, writing, lingering uint64
	for i := range stats.Loops {
		l := &stats.Loops[i]
		head += uint64(l.Head)
		idle += uint64(l.Idle)
		writing += uint64(l.Writing)
		lingering += uint64(l.Lingering)
	}
	other := stats.Open - min(stats.Open, head+idle+writing+lingering)
	return []metrics.Count{
		{Label: "head", Value: head},
		{Label: "idle", Value: idle},
		{Label: "writing", Value: writing},
		{Label: "lingering", Value: lingering},
		{Label: "other", Value: other},
	}
}

// stall returns for how long an event loop has been asleep or busy beyond what
// a healthy one ever is.
func (d *Daemon) stall(l *server.LoopStats) time.Duration {
	if l.Woken == 0 {
		return 0
	}
	return max(0, d.clock()-l.Woken-loopWakes)
}

func counts(all []server.Count) []metrics.Count {
	out := make([]metrics.Count, len(all))
	for i, c := range all {
		out[i] = metrics.Count(c)
	}
	return out
}

func (d *Daemon) storeSnapshot() metrics.Store {
	stats := d.store.Stats()
	return metrics.Store{
		Torrents:         stats.Torrents,
		TorrentsIPv4:     stats.Torrents4,
		TorrentsIPv6:     stats.Torrents6,
		Remembered:       stats.Remembered,
		PeersIPv4:        stats.Peers4,
		PeersIPv6:        stats.Peers6,
		Seeders:          metrics.Families{IPv4: stats.Seeders4, IPv6: stats.Seeders6},
		Leechers:         metrics.Families{IPv4: stats.Peers4 - stats.Seeders4, IPv6: stats.Peers6 - stats.Seeders6},
		MemoryBytes:      stats.Memory,
		MemoryLimitBytes: d.memoryLimit,
		Passes:           stats.Passes,
		SinceSweep:       d.sweeper.sinceSlice(),
		SweepInterval:    d.sweeper.interval,
		Removed: []metrics.Count{
			{Label: "expired", Value: stats.ExpiredPeers},
			{Label: "refused", Value: stats.RefusedPeers},
			{Label: "replaced", Value: stats.ReplacedPeers},
			{Label: "displaced", Value: stats.DisplacedPeers},
		},
		Refused:   stats.RefusedTorrents,
		Forgotten: stats.ForgottenByMemory,
	}
}

// savedSnapshot returns nil where no snapshots are kept.
func (d *Daemon) savedSnapshot() *metrics.Saved {
	if d.keeper == nil {
		return nil
	}
	w := d.keeper.writes()
	return &metrics.Saved{
		Written: w.last, Bytes: w.size, Took: w.took, Good: w.good,
		Writes: []metrics.Count{{Label: "ok", Value: w.ok}, {Label: "failed", Value: w.failed}},
	}
}

func (d *Daemon) accessSnapshot() metrics.Access {
	d.loads.mu.Lock()
	defer d.loads.mu.Unlock()
	return metrics.Access{
		Mode:           d.access.Mode().String(),
		Entries:        d.access.Len(),
		LastReload:     d.loads.last,
		LastReloadGood: d.loads.good,
		Reloads:        []metrics.Count{{Label: "ok", Value: d.loads.ok}, {Label: "failed", Value: d.loads.failed}},
	}
}

// noteLoad counts a load of the access list.
func (d *Daemon) noteLoad(err error) {
	d.loads.mu.Lock()
	defer d.loads.mu.Unlock()
	d.loads.good = err == nil
	if err != nil {
		d.loads.failed++
		return
	}
	d.loads.ok++
	d.loads.last = time.Now()
}
