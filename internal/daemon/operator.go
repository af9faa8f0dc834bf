package daemon

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"spate/internal/admin"
	"spate/internal/bittorrent"
	"spate/internal/config"
	"spate/internal/metrics"
	"spate/internal/tracker"
)

// loopStuck is how long an event loop may be away before it counts as stuck.
const loopStuck = 10 * time.Second

// openOperator opens the operator's listener and that of the metrics.
func (d *Daemon) openOperator() error {
	c := &d.cfg
	if !c.Metrics.RunPrometheusEndpoint && c.Admin.Address == "" {
		return nil
	}
	var err error
	d.metrics, err = metrics.New(metrics.Config{Namespace: c.Metrics.Namespace, Version: d.build.Version, Commit: d.build.Commit}, d.snapshot)
	if err != nil {
		return d.cfg.Problem("metrics.namespace", "%v", err)
	}
	var errs []error
	open := func(cfg admin.Config, path string) {
		s, err := admin.New(cfg, d.sources(), d.limited.logger())
		if text := d.passedInstead(cfg.Address, err); text != "" {
			errs = append(errs, d.cfg.Problem(path, "%s", text))
			return
		}
		if err != nil {
			errs = append(errs, &keyedError{d.cfg.Problem(path, "%s", explain(cfg.Address, err)), err})
			return
		}
		d.operator = append(d.operator, s)
	}
	if c.Metrics.RunPrometheusEndpoint {
		open(admin.Config{Address: c.Metrics.PrometheusEndpointAddress.String(), MetricsOnly: true}, "metrics.prometheus_endpoint_address")
	}
	if c.Admin.Address != "" {
		open(admin.Config{Address: c.Admin.Address, Token: c.Admin.Token, Debug: c.Admin.Debug}, "admin.address")
	}
	return errors.Join(errs...)
}

// explain says what it means that an operator's listener was not opened, and what
// to do.
func explain(address string, err error) string {
	isUnix := strings.HasPrefix(address, "unix:")
	why := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && isUnix:
		why = "it is in use by another process, or no socket: stop that one, remove the file, or configure another path: "
	case errors.Is(err, syscall.EADDRINUSE):
		why = "it is in use by another process: stop that one, or configure another port: "
	case errors.Is(err, syscall.EACCES) && !isUnix:
		why = "no permission to listen there: ports below 1024 need root (with drop_privileges) or CAP_NET_BIND_SERVICE: "
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		why = "this machine does not have the address: "
	}
	// The names of calls and addresses are in the problem already.
	if call := new(os.SyscallError); errors.As(err, &call) {
		err = call.Err
	}
	return why + err.Error()
}

// sources are what the operator is shown.
func (d *Daemon) sources() admin.Sources {
	return admin.Sources{
		Metrics:     d.metrics.Handler(),
		Health:      d.health,
		Stats:       d.stats,
		LogLevel:    d.log.LevelName,
		SetLogLevel: d.log.SetLevelName,
		Invariants:  d.store.CheckInvariants,
	}
}

// health says how the tracker is.
func (d *Daemon) health() admin.Health {
	h := admin.Health{State: admin.State(d.state.Load())}
	if h.State == admin.StateReady {
		if problems := d.stuck(); len(problems) > 0 {
			h.State, h.Problems = admin.StateStuck, problems
		}
	}
	return h
}

// stuck returns what has ceased to go on, one sentence each.
func (d *Daemon) stuck() (problems []string) {
	if d.sweeper.stuck() {
		problems = append(problems, "The sweep of old peers does not come to an end.")
	}
	for i, l := range d.server.Stats().Loops {
		if stall := d.stall(&l); stall > loopStuck {
			problems = append(problems, fmt.Sprintf("Event loop %d has not answered for %v.", i, stall.Round(time.Second)))
		}
	}
	return problems
}

// stats gathers the numbers of the operator's page.
func (d *Daemon) stats() admin.Stats {
	c := d.tracker.Counters()
	s := admin.Stats{
		Build:     admin.Build{Version: d.build.Version, Commit: d.build.Commit},
		Started:   d.started,
		Announces: requestsOf(&c, tracker.KindAnnounce),
		Scrapes:   requestsOf(&c, tracker.KindScrape),
		PeersSent: c.PeersHandedOut,
		Latency:   admin.Latency{Buckets: c.Latency.Buckets[:]},
		URLs:      d.urls(),
	}
	for e := range bittorrent.Event(tracker.EventCount) {
		s.Events = append(s.Events, admin.Count{
			Label: tracker.EventLabel(e),
			Value: c.Announces[tracker.FamilyIPv4][e] + c.Announces[tracker.FamilyIPv6][e],
		})
	}
	for f := bittorrent.FailureNone + 1; int(f) < bittorrent.FailureCount; f++ {
		n := uint64(0)
		for kind := range tracker.KindCount {
			for family := range tracker.FamilyCount {
				n += c.Failures[kind][family][f]
			}
		}
		s.Failures = append(s.Failures, admin.Count{Label: f.Label(), Value: n})
	}
	for i := range tracker.LatencyBuckets {
		s.Latency.BoundsMicros = append(s.Latency.BoundsMicros, float64(tracker.LatencyBound(i))/1e3)
	}
	d.addParts(&s)
	return s
}

func requestsOf(c *tracker.Counters, kind tracker.Kind) (r admin.Requests) {
	failed := func(f tracker.Family) (n uint64) {
		for _, failures := range c.Failures[kind][f] {
			n += failures
		}
		return n
	}
	r.Total = admin.Families{IPv4: c.Requests(kind, tracker.FamilyIPv4), IPv6: c.Requests(kind, tracker.FamilyIPv6)}
	r.Failed = admin.Families{IPv4: failed(tracker.FamilyIPv4), IPv6: failed(tracker.FamilyIPv6)}
	return r
}

// addParts adds what the store, the transport and the access list say.
func (d *Daemon) addParts(s *admin.Stats) {
	store := d.store.Stats()
	s.Store = admin.Store{
		Torrents:         store.Torrents,
		Peers:            admin.Families{IPv4: uint64(store.Peers4), IPv6: uint64(store.Peers6)},
		Seeders:          store.Seeders,
		Leechers:         store.Leechers,
		MemoryBytes:      store.Memory,
		MemoryLimitBytes: d.memoryLimit,
		TorrentLimit:     d.cfg.Protocol.MaxTorrents,
		RefusedTorrents:  store.RefusedTorrents,
		ExpiredPeers:     store.ExpiredPeers,
	}
	server := d.server.Stats()
	s.Connections = admin.Connections{
		Open:          server.Open,
		Limit:         uint64(d.maxConnections.Load()),
		Accepted:      admin.Families{IPv4: server.Accepted4, IPv6: server.Accepted6},
		AcceptPauses:  server.AcceptPauses,
		BytesReceived: server.BytesIn,
		BytesSent:     server.BytesOut,
	}
	for _, c := range server.Ended {
		s.Connections.Closed = append(s.Connections.Closed, admin.Count(c))
	}
	for _, c := range server.Refused {
		s.Connections.Refused = append(s.Connections.Refused, admin.Count(c))
	}
	if d.keeper != nil {
		w := d.keeper.writes()
		s.Snapshot = &admin.Snapshot{Bytes: w.size, Failed: !w.good}
		if !w.last.IsZero() {
			s.Snapshot.Written = &w.last
		}
	}
	for _, c := range d.certificates() {
		s.Certificates = append(s.Certificates, admin.Certificate(c))
	}
	if access := d.accessSnapshot(); d.cfg.AccessList.Mode != config.AccessOff {
		s.Access = &admin.Access{Mode: access.Mode, Entries: access.Entries, Loaded: access.LastReload, Stale: !access.LastReloadGood}
	}
}
