package load

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
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

// ErrRemote is returned by CheckTarget for an address that is not this
// machine's.
var ErrRemote = errors.New("the target is not a loopback address")

// CheckTarget refuses targets that are not loopback: a load test against
// somebody else's tracker is an attack on it.
func CheckTarget(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("server_address = %q: needs an address and port such as \"127.0.0.1:3000\"", address)
	}
	if !ap.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("server_address = %q: %w: a load test takes a tracker's whole capacity, so it runs "+
			"against this machine only; --allow-remote lifts that, for trackers of your own", address, ErrRemote)
	}
	return nil
}

// Validate reports every value that is out of range, each with its key and what
// would be right.
func (c *Config) Validate() error {
	var p problems
	if _, err := netip.ParseAddrPort(c.ServerAddress); err != nil {
		p.add("server_address", c.ServerAddress, `an address and port such as "127.0.0.1:3000"`)
	}
	p.oneOf("log_level", c.LogLevel, "off", "error", "warn", "info", "debug", "trace")
	p.atLeast("num_workers", c.NumWorkers, 1)
	p.atLeast("num_connections", c.NumConnections, 1)
	p.atLeast("connection_creation_interval_ms", c.ConnectionCreationIntervalMS, 0)
	p.atLeast("duration", c.Duration, 0)
	if strings.ContainsAny(c.URLSuffix, " \r\n?") {
		p.add("url_suffix", c.URLSuffix, "a path without spaces, line ends and question marks")
	}
	c.Torrents.validate(&p)
	c.Rate.validate(&p)
	c.Peers.validate(&p)
	c.Mix.validate(&p)
	p.oneOf("addresses.source", c.Addresses.Source, sourceOwn, sourceLoopback, sourceXFF, sourceForwarded, sourceProxyV1, sourceProxyV2)
	p.atLeast("addresses.number", c.Addresses.Number, 1)
	p.share("addresses.ipv6", c.Addresses.IPv6)
	p.atLeast("check.timeout", c.Check.Timeout, 1)
	return errors.Join(p...)
}

func (t *TorrentConfig) validate(p *problems) {
	p.atLeast("torrents.number_of_torrents", t.NumberOfTorrents, 1)
	p.share("torrents.peer_seeder_probability", t.PeerSeederProbability)
	p.atLeast("torrents.weight_announce", t.WeightAnnounce, 0)
	p.atLeast("torrents.weight_scrape", t.WeightScrape, 0)
	if t.WeightAnnounce == 0 && t.WeightScrape == 0 {
		p.add("torrents.weight_announce", 0, "a number above 0 in it or in torrents.weight_scrape")
	}
	p.positive("torrents.torrent_gamma_shape", t.TorrentGammaShape)
	p.positive("torrents.torrent_gamma_scale", t.TorrentGammaScale)
}

func (r *RateConfig) validate(p *problems) {
	p.oneOf("rate.mode", r.Mode, modeClosed, modeOpen, modeSearch)
	p.positive("rate.requests_per_second", r.RequestsPerSecond)
	p.atLeast("rate.ramp", r.Ramp, 0)
	p.atLeast("rate.warmup", r.Warmup, 0)
	p.atLeast("rate.step_duration", r.StepDuration, 1)
	p.positive("rate.p99_limit_ms", r.P99LimitMS)
}

func (c *PeerConfig) validate(p *problems) {
	p.oneOf("peers.model", c.Model, modelGamma, modelLives)
	p.atLeast("peers.number", c.Number, 1)
	if !(c.MeanAnnounces >= 1) {
		p.add("peers.mean_announces", c.MeanAnnounces, "a number of at least 1")
	}
	p.share("peers.complete_probability", c.CompleteProbability)
	p.share("peers.vanish_probability", c.VanishProbability)
}

func (m *MixConfig) validate(p *problems) {
	p.oneOf("mix.client", m.Client, ClientNames()...)
	for _, n := range m.NumWant {
		if n < -1 {
			p.add("mix.numwant", m.NumWant, "numbers of at least -1")
			break
		}
	}
	p.atLeast("mix.scrape_min", m.ScrapeMin, 1)
	p.atLeast("mix.scrape_max", m.ScrapeMax, m.ScrapeMin)
	if m.ScrapeMax > maxScrapeHashes {
		p.add("mix.scrape_max", m.ScrapeMax, fmt.Sprintf("a number of at most %d", maxScrapeHashes))
	}
	p.share("mix.non_compact", m.NonCompact)
	p.share("mix.malformed", m.Malformed)
	p.share("mix.slow_readers", m.SlowReaders)
}

// problems collects what is wrong with a configuration.
type problems []error

func (p *problems) add(key string, value any, need string) {
	if s, ok := value.(string); ok {
		value = fmt.Sprintf("%q", s)
	}
	*p = append(*p, fmt.Errorf("%s = %v: needs %s", key, value, need))
}

func (p *problems) atLeast(key string, value, low int) {
	if value < low {
		p.add(key, value, fmt.Sprintf("a number of at least %d", low))
	}
}

// The conditions are written so that NaN fails them.

func (p *problems) share(key string, value float64) {
	if !(value >= 0 && value <= 1) {
		p.add(key, value, "a number from 0 to 1")
	}
}

func (p *problems) positive(key string, value float64) {
	if !(value > 0) {
		p.add(key, value, "a number above 0")
	}
}

func (p *problems) oneOf(key, value string, set ...string) {
	if !slices.Contains(set, value) {
		p.add(key, value, "one of "+strings.Join(set, ", "))
	}
}
