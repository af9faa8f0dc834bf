package load

//go:generate go run ../tomlfile/docgen

// Config is what a run does. The keys up to those of Torrents are
// aquatic_http_load_test 0.9's, with their meaning. The comments of the fields below are
// those of `spate-load -p`; `go generate` copies them (docs_generated.go).
type Config struct {
	// Address and port of the tracker. Only loopback addresses are accepted,
	// unless --allow-remote is given.
	ServerAddress string `toml:"server_address"`
	// Log level: off, error, warn, info, debug or trace.
	LogLevel string `toml:"log_level"`
	// Worker threads.
	NumWorkers int `toml:"num_workers"`
	// Connections that each worker keeps open at most.
	NumConnections int `toml:"num_connections"`
	// How often each worker opens a connection while it has fewer than
	// num_connections (milliseconds). 0 opens them as quickly as possible,
	// which is right where the tracker or keep_alive = false closes them.
	ConnectionCreationIntervalMS int `toml:"connection_creation_interval_ms"`
	// Appended to /announce and /scrape: "/my_token/" gives
	// /announce/my_token/.
	URLSuffix string `toml:"url_suffix"`
	// Length of the run (seconds). 0 runs until it is interrupted.
	Duration int `toml:"duration"`
	// Send several requests over one connection.
	KeepAlive bool `toml:"keep_alive"`
	// Speak TLS. The certificate is not verified. A file without this key speaks
	// TLS, as aquatic_http_load_test does.
	EnableTLS bool `toml:"enable_tls"`

	Torrents  TorrentConfig `toml:"torrents"`
	Rate      RateConfig    `toml:"rate"`
	Peers     PeerConfig    `toml:"peers"`
	Mix       MixConfig     `toml:"mix"`
	Addresses AddressConfig `toml:"addresses"`
	Check     CheckConfig   `toml:"check"`
}

// What is asked for.
type TorrentConfig struct {
	// Number of torrents.
	NumberOfTorrents int `toml:"number_of_torrents"`
	// Probability that a peer is a seeder (0 to 1).
	PeerSeederProbability float64 `toml:"peer_seeder_probability"`
	// Weights of announces and scrapes among the requests.
	WeightAnnounce int `toml:"weight_announce"`
	WeightScrape   int `toml:"weight_scrape"`
	// Shape and scale of the gamma distribution by which peers choose torrents. With
	// these values 43 % of all requests are for the first one.
	TorrentGammaShape float64 `toml:"torrent_gamma_shape"`
	TorrentGammaScale float64 `toml:"torrent_gamma_scale"`
	// How peers choose torrents. gamma: as aquatic_http_load_test, by the two keys
	// above. even: all alike. long-tail: torrent number n * u^3 for a random u from 0
	// to 1, so that a few are large and most are small, as on public trackers.
	Distribution string `toml:"distribution"`
}

// When requests are sent.
type RateConfig struct {
	// closed: each connection sends its next request when the last one is
	// answered. open: requests are due at a fixed rate, and latency counts from
	// when a request was due, so that a stalled tracker cannot hide (no
	// coordinated omission). search: open, with the highest rate looked for
	// whose p99 stays under p99_limit_ms.
	Mode string `toml:"mode"`
	// Requests per second in all (open), or the rate to begin with (search).
	RequestsPerSecond float64 `toml:"requests_per_second"`
	// Time over which an open loop goes from 0 to its rate (seconds).
	Ramp int `toml:"ramp"`
	// The p99 latency that a search stays under (milliseconds).
	P99LimitMS float64 `toml:"p99_limit_ms"`
	// Length of each step of a search (seconds).
	StepDuration int `toml:"step_duration"`
	// Requests sent before measuring starts (seconds).
	Warmup int `toml:"warmup"`
}

// Who asks.
type PeerConfig struct {
	// gamma: every announce is by a new peer, as aquatic_http_load_test does
	// it. lives: a fixed number of peers that start, announce again, complete,
	// stop, or vanish without a word, and are then replaced.
	Model string `toml:"model"`
	// Number of peers alive at once (lives): at most 64,000 for each of
	// addresses.number.
	Number int `toml:"number"`
	// Mean number of announces in a peer's life (lives).
	MeanAnnounces float64 `toml:"mean_announces"`
	// Probability that a leecher completes at an announce (lives, 0 to 1).
	CompleteProbability float64 `toml:"complete_probability"`
	// Probability that a peer ends without event=stopped (lives, 0 to 1).
	VanishProbability float64 `toml:"vanish_probability"`
}

// How requests are written, and replies are read.
type MixConfig struct {
	// How requests look: aquatic (aquatic_http_load_test's), mixed (clients by their
	// share among public swarms), or one of libtorrent, transmission, rtorrent, aria2,
	// biglybt, utorrent, webtorrent, anacrolix, lftp, ctorrent, bitcomet, ktorrent,
	// rqbit, monotorrent, rain, unworkable.
	Client string `toml:"client"`
	// numwant values, chosen at random; -1 leaves it out. An empty list takes
	// the client's own.
	NumWant []int `toml:"numwant"`
	// Fewest and most info hashes in a scrape (1 to 100).
	ScrapeMin int `toml:"scrape_min"`
	ScrapeMax int `toml:"scrape_max"`
	// Share of announces with compact=0 (0 to 1).
	NonCompact float64 `toml:"non_compact"`
	// Share of announces that are malformed in one of several ways (0 to 1). A
	// failure is the right reply to them.
	Malformed float64 `toml:"malformed"`
	// Say Connection: keep-alive on connections that are kept, which HTTP/1.1 does
	// not ask for: opentracker closes others.
	AskToKeep bool `toml:"ask_to_keep"`
	// Share of connections that read their replies slowly, 64 bytes every 10 ms from
	// the smallest buffer that the system has (0 to 1).
	SlowReaders float64 `toml:"slow_readers"`
}

// Where requests come from, as the tracker sees it.
type AddressConfig struct {
	// own: the one address of this machine. loopback: source addresses from
	// 127.0.0.0/8. x-forwarded-for, forwarded, proxy-v1, proxy-v2: peers have
	// addresses of their own, told by that header; the tracker has to trust it.
	Source string `toml:"source"`
	// Number of different addresses.
	Number int `toml:"number"`
	// Share of them that are IPv6 (0 to 1), where a header tells them.
	IPv6 float64 `toml:"ipv6"`
}

// What is checked, and by when.
type CheckConfig struct {
	// Remember who was announced, and check every reply against it: peers must
	// have been announced to that torrent and not stopped, counts must be
	// possible, no peer is told of itself. For runs shorter than the tracker's peer
	// age.
	Verify bool `toml:"verify"`
	// With verify, announce to torrents that no run before has announced to: peers
	// that are left from another run are not known to this one. Without, the torrents
	// of all runs are the same, as a tracker with a list of them needs it.
	FreshTorrents bool `toml:"fresh_torrents"`
	// How many peers of one public address a tracker is sure to keep in a torrent, as
	// verify sees it: many keep no more, lest one host fills a swarm. 0 is no limit.
	PeersPerAddress int `toml:"peers_per_address"`
	// A request without a whole reply counts as timed out after this (seconds).
	Timeout int `toml:"timeout"`
	// Resume TLS sessions.
	TLSResume bool `toml:"tls_resume"`
}

// DefaultConfig returns the configuration of a run without a file.
func DefaultConfig() Config {
	c := aquaticConfig()
	c.EnableTLS = false
	return c
}

// aquaticConfig returns aquatic_http_load_test's defaults, which hold for keys
// that a file leaves out, and ours beside them.
func aquaticConfig() Config {
	return Config{
		ServerAddress:                "127.0.0.1:3000",
		LogLevel:                     "error",
		NumWorkers:                   1,
		NumConnections:               128,
		ConnectionCreationIntervalMS: 10,
		KeepAlive:                    true,
		EnableTLS:                    true,
		Torrents: TorrentConfig{
			NumberOfTorrents:      10_000,
			PeerSeederProbability: 0.25,
			WeightAnnounce:        5,
			TorrentGammaShape:     0.2,
			TorrentGammaScale:     100,
			Distribution:          distributionGamma,
		},
		Rate: RateConfig{
			Mode:              "closed",
			RequestsPerSecond: 1000,
			P99LimitMS:        10,
			StepDuration:      5,
		},
		Peers: PeerConfig{
			Model:               "gamma",
			Number:              50_000,
			MeanAnnounces:       10,
			CompleteProbability: 0.1,
			VanishProbability:   0.3,
		},
		Mix:       MixConfig{Client: clientAquatic, NumWant: []int{}, ScrapeMin: 5, ScrapeMax: 5},
		Addresses: AddressConfig{Source: "own", Number: 1},
		Check:     CheckConfig{FreshTorrents: true, PeersPerAddress: 64, Timeout: 10},
	}
}
