package load

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"spate/internal/tomlfile"
)

// The names that the configuration's closed sets have.
const (
	modeClosed = "closed"
	modeOpen   = "open"
	modeSearch = "search"

	modelGamma = "gamma"
	modelLives = "lives"

	sourceOwn       = "own"
	sourceLoopback  = "loopback"
	sourceXFF       = "x-forwarded-for"
	sourceForwarded = "forwarded"
	sourceProxyV1   = "proxy-v1"
	sourceProxyV2   = "proxy-v2"
)

// CheckTarget refuses targets that are not loopback: a load test against
// somebody else's tracker is an attack on it.
func CheckTarget(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("server_address = %q: needs an address and port such as \"127.0.0.1:3000\"", address)
	}
	if !ap.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("server_address = %q: the target is not a loopback address: a load test takes a tracker's "+
			"whole capacity, so it runs against this machine only; --allow-remote lifts that, for trackers of your own", address)
	}
	return nil
}

// The most that some keys take: more is a slip, or more than a machine holds.
const (
	maxTorrents    = 100_000_000
	maxPeers       = 100_000_000
	maxConnections = 1_000_000
	maxWorkers     = 1024
	maxSeconds     = 100_000_000 // three years
	maxIntervalMS  = 3_600_000
	maxNumWant     = 1_000_000
	// portsEach is how many peers of the lives model may share an address: each
	// has a port of its own.
	portsEach = 64_000
)

// Validate reports every value that is out of range or does not go with the
// others. Its error is a tomlfile.Problems.
func (c *Config) Validate() error { return c.Problems("").Err() }

// Problems is Validate for a configuration whose keys a file has below others: prefix
// is what its keys' paths begin with.
func (c *Config) Problems(prefix string) tomlfile.Problems {
	p := problems{prefix: prefix}
	target, err := netip.ParseAddrPort(c.ServerAddress)
	if err != nil || target.Port() == 0 {
		p.add("server_address", c.ServerAddress, `an address and port such as "127.0.0.1:3000"`)
	}
	p.oneOf("log_level", c.LogLevel, "off", "error", "warn", "info", "debug", "trace")
	p.between("num_workers", c.NumWorkers, 1, maxWorkers)
	p.between("num_connections", c.NumConnections, 1, maxConnections)
	p.between("connection_creation_interval_ms", c.ConnectionCreationIntervalMS, 0, maxIntervalMS)
	p.between("duration", c.Duration, 0, maxSeconds)
	if strings.ContainsAny(c.URLSuffix, " \t\r\n\x00?#") {
		p.add("url_suffix", c.URLSuffix, "a path without spaces, line ends, question marks and number signs")
	}
	c.Torrents.validate(&p)
	c.Rate.validate(&p)
	c.Peers.validate(&p)
	c.Mix.validate(&p)
	c.Addresses.validate(&p, target)
	if c.Peers.Model == modelLives && c.Peers.Number/portsEach >= c.Addresses.Number && c.Peers.Number > portsEach*c.Addresses.Number {
		p.add("peers.number", c.Peers.Number, fmt.Sprintf("at most %d for each of addresses.number = %d: every peer has a port of its own", portsEach, c.Addresses.Number))
	}
	p.between("check.peers_per_address", c.Check.PeersPerAddress, 0, maxPeers)
	p.between("check.timeout", c.Check.Timeout, 1, maxSeconds)
	return p.found
}

func (t *TorrentConfig) validate(p *problems) {
	p.between("torrents.number_of_torrents", t.NumberOfTorrents, 1, maxTorrents)
	p.share("torrents.peer_seeder_probability", t.PeerSeederProbability)
	p.between("torrents.weight_announce", t.WeightAnnounce, 0, math.MaxInt32)
	p.between("torrents.weight_scrape", t.WeightScrape, 0, math.MaxInt32)
	if t.WeightAnnounce == 0 && t.WeightScrape == 0 {
		p.add("torrents.weight_announce", 0, "a number above 0 in it or in torrents.weight_scrape")
	}
	p.positive("torrents.torrent_gamma_shape", t.TorrentGammaShape)
	p.positive("torrents.torrent_gamma_scale", t.TorrentGammaScale)
	p.oneOf("torrents.distribution", t.Distribution, distributionGamma, distributionEven, distributionLongTail)
}

func (r *RateConfig) validate(p *problems) {
	p.oneOf("rate.mode", r.Mode, modeClosed, modeOpen, modeSearch)
	p.positive("rate.requests_per_second", r.RequestsPerSecond)
	p.between("rate.ramp", r.Ramp, 0, maxSeconds)
	p.between("rate.warmup", r.Warmup, 0, maxSeconds)
	p.between("rate.step_duration", r.StepDuration, 1, maxSeconds)
	p.positive("rate.p99_limit_ms", r.P99LimitMS)
}

func (c *PeerConfig) validate(p *problems) {
	p.oneOf("peers.model", c.Model, modelGamma, modelLives)
	p.between("peers.number", c.Number, 1, maxPeers)
	if !(c.MeanAnnounces >= 1) || math.IsInf(c.MeanAnnounces, 1) {
		p.add("peers.mean_announces", c.MeanAnnounces, "a number of at least 1")
	}
	p.share("peers.complete_probability", c.CompleteProbability)
	p.share("peers.vanish_probability", c.VanishProbability)
}

func (m *MixConfig) validate(p *problems) {
	p.oneOf("mix.client", m.Client, clientNames()...)
	for _, n := range m.NumWant {
		if n < -1 || n > maxNumWant {
			p.add("mix.numwant", m.NumWant, fmt.Sprintf("numbers from -1 to %d", maxNumWant))
			break
		}
	}
	p.between("mix.scrape_min", m.ScrapeMin, 1, maxScrapeHashes)
	p.between("mix.scrape_max", m.ScrapeMax, max(1, m.ScrapeMin), maxScrapeHashes)
	p.share("mix.non_compact", m.NonCompact)
	p.share("mix.malformed", m.Malformed)
	p.share("mix.slow_readers", m.SlowReaders)
}

func (a *AddressConfig) validate(p *problems, target netip.AddrPort) {
	p.oneOf("addresses.source", a.Source, sourceOwn, sourceLoopback, sourceXFF, sourceForwarded, sourceProxyV1, sourceProxyV2)
	most := maxTold4
	if a.Source == sourceLoopback {
		most = maxLoopback
	}
	p.between("addresses.number", a.Number, 1, most)
	p.share("addresses.ipv6", a.IPv6)
	const told = "another addresses.source: one of x-forwarded-for, forwarded, proxy-v1, proxy-v2 tells such addresses"
	if a.Source == sourceOwn && a.Number > 1 {
		p.add("addresses.number", a.Number, "another addresses.source than own, which is one address")
	}
	if a.IPv6 > 0 && (a.Source == sourceOwn || a.Source == sourceLoopback) {
		p.add("addresses.ipv6", a.IPv6, told)
	}
	if to := target.Addr().Unmap(); a.Source == sourceLoopback && target.IsValid() && !(to.Is4() && to.IsLoopback()) {
		p.add("addresses.source", a.Source, "a server_address in 127.0.0.0/8: addresses from there reach no other")
	}
}
