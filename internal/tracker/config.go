package tracker

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

const (
	// MaxPeersLimit is the most peers that one reply holds, whatever is
	// configured: 200 IPv6 peers are 3,600 bytes, which with the rest still
	// leave in three segments.
	MaxPeersLimit = 200

	// defaultNumWant is what a client gets that does not say how many peers it
	// wants (BEP 3 suggests 50).
	defaultNumWant = 50

	// jitterFraction: an interval is drawn out by up to a tenth, so that
	// clients that started together do not go on announcing together.
	jitterFraction = 10

	// Shorter intervals make libtorrent's and rTorrent's floors pointless and
	// cost load; longer ones outlive the patience of clients and of tracker
	// lists. Outside of these an interval is served, with a warning.
	shortestUsualInterval = 300 * time.Second
	longestUsualInterval  = 10800 * time.Second

	// longestInterval still fits the 32-bit integers that clients keep it in,
	// its jitter included.
	longestInterval = math.MaxInt32 / 2 * time.Second

	// MaxFullScrapeLimit is the most torrents that a full scrape is answered for.
	// An answer of that size takes some 50 ms and 6 MB (BenchmarkFullScrape).
	MaxFullScrapeLimit = 1 << 16

	// maxScrapeLimit is what aquatic_http's files may say. A request head has room
	// for a few hundred hashes.
	maxScrapeLimit int64 = math.MaxUint32
)

// Config is the tracker's policy. Default gives its defaults; the zero value
// is a policy of its own (no peers for anyone), not the default one.
type Config struct {
	// Interval is what clients are asked to wait between announces, to which
	// each reply adds a jitter of up to 10 %. Whole seconds.
	Interval time.Duration
	// MinInterval is what clients are asked to wait at least, also between
	// scrapes. 0 means half of Interval. Whole seconds, at most Interval.
	MinInterval time.Duration
	// MaxPeers is how many peers a reply holds at most, 0 to MaxPeersLimit;
	// more than that is served as MaxPeersLimit.
	MaxPeers int
	// MaxScrapeTorrents is how many torrents a scrape is answered for; the
	// rest of its hashes is left out.
	MaxScrapeTorrents int64
	// MaxFullScrapeTorrents is up to how many torrents a scrape without an info
	// hash is answered for all of them, 0 to MaxFullScrapeLimit. 0 refuses it.
	MaxFullScrapeTorrents int
	// PrivatePeers says who is given peers with private addresses.
	PrivatePeers PrivatePeers
	// TrustedPeerAddresses are the sources that may announce other addresses
	// than their own by ip, ipv4 and ipv6: a seedbox's gateway, or another
	// tracker in front. Nobody by default.
	TrustedPeerAddresses []netip.Prefix

	// Clock is the monotonic clock that handling times are sampled with. Nil
	// means the system's.
	Clock func() time.Duration
}

// Default returns the policy of a tracker that nobody configured.
func Default() Config {
	return Config{
		Interval:          1800 * time.Second,
		MaxPeers:          50,
		MaxScrapeTorrents: 100,
	}
}

// ToldMinInterval returns the minimum interval that clients are told: MinInterval with
// its default worked out.
func (c *Config) ToldMinInterval() time.Duration {
	if c.MinInterval != 0 {
		return c.MinInterval
	}
	return (c.Interval / 2).Truncate(time.Second)
}

// LongestInterval returns the longest interval that a client is told, jitter included.
func (c *Config) LongestInterval() time.Duration {
	return c.Interval + c.jitter()
}

// jitter returns the most that is added to Interval, in whole seconds.
func (c *Config) jitter() time.Duration {
	return (c.Interval / jitterFraction).Truncate(time.Second)
}

// Validate returns what is unusual about c, one sentence each, for the log,
// and as an error all that is impossible, one line each. Both name the keys of
// the configuration file.
func (c *Config) Validate() (warnings []string, err error) {
	errs := []error{
		checkSeconds("peer_announce_interval", c.Interval),
		checkSeconds("min_announce_interval", c.MinInterval),
	}
	if c.MinInterval > c.Interval {
		errs = append(errs, fmt.Errorf("[protocol] min_announce_interval = %d is longer than peer_announce_interval = %d: clients could not keep both",
			seconds(c.MinInterval), seconds(c.Interval)))
	}
	if c.MaxPeers < 0 {
		errs = append(errs, fmt.Errorf("[protocol] max_peers = %d is negative: give 0 to %d", c.MaxPeers, MaxPeersLimit))
	}
	if c.MaxScrapeTorrents < 0 || c.MaxScrapeTorrents > maxScrapeLimit {
		errs = append(errs, fmt.Errorf("[protocol] max_scrape_torrents = %d is out of range: give 0 to %d", c.MaxScrapeTorrents, maxScrapeLimit))
	}
	if c.MaxFullScrapeTorrents < 0 || c.MaxFullScrapeTorrents > MaxFullScrapeLimit {
		errs = append(errs, fmt.Errorf("[protocol] max_full_scrape_torrents = %d is out of range: give 0 to %d", c.MaxFullScrapeTorrents, MaxFullScrapeLimit))
	}
	if !c.PrivatePeers.valid() {
		errs = append(errs, fmt.Errorf("[protocol] hand_out_private_addresses has no value %d: give auto, always or never", c.PrivatePeers))
	}
	for _, p := range c.TrustedPeerAddresses {
		if !p.IsValid() {
			errs = append(errs, errors.New(`[protocol] trusted_peer_address_sources holds an invalid prefix: give prefixes such as "192.0.2.0/24"`))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c.warnings(), nil
}

// warnings says what is served as configured, but hardly meant.
func (c *Config) warnings() (w []string) {
	switch {
	case c.Interval < shortestUsualInterval:
		w = append(w, fmt.Sprintf("[protocol] peer_announce_interval = %d is short: many clients wait at least %d seconds, and tracker lists mark shorter intervals",
			seconds(c.Interval), seconds(shortestUsualInterval)))
	case c.Interval > longestUsualInterval:
		w = append(w, fmt.Sprintf("[protocol] peer_announce_interval = %d is long: peers go unseen for hours, and tracker lists mark intervals above %d seconds",
			seconds(c.Interval), seconds(longestUsualInterval)))
	}
	switch {
	case c.MaxPeers == 0:
		w = append(w, "[protocol] max_peers = 0 keeps all clients from finding each other")
	case c.MaxPeers > MaxPeersLimit:
		w = append(w, fmt.Sprintf("[protocol] max_peers = %d is served as %d, the most that a reply holds", c.MaxPeers, MaxPeersLimit))
	}
	if c.MaxScrapeTorrents == 0 {
		w = append(w, "[protocol] max_scrape_torrents = 0 refuses every scrape")
	}
	return w
}

// checkSeconds refuses a duration that no reply can carry.
func checkSeconds(key string, d time.Duration) error {
	if d < 0 || d > longestInterval {
		return fmt.Errorf("[protocol] %s = %d is out of range: give seconds from 0 to %d", key, seconds(d), seconds(longestInterval))
	}
	if d%time.Second != 0 {
		return fmt.Errorf("[protocol] %s = %v is not a whole number of seconds", key, d)
	}
	return nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
