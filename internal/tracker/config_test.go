package tracker_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"spate/internal/swarm"
	"spate/internal/tracker"
)

func TestDefaultIsValidAndUsual(t *testing.T) {
	cfg := tracker.Default()
	warnings, err := cfg.Validate()
	if err != nil || len(warnings) != 0 {
		t.Errorf("the default: %q, %v", warnings, err)
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name           string
		change         func(*tracker.Config)
		warning, wrong string // what one of them contains
	}{
		{"usual shortest", func(c *tracker.Config) { c.Interval = 300 * time.Second }, "", ""},
		{"usual longest", func(c *tracker.Config) { c.Interval = 10800 * time.Second }, "", ""},
		{"short", func(c *tracker.Config) { c.Interval = 299 * time.Second }, "peer_announce_interval = 299 is short", ""},
		{"long", func(c *tracker.Config) { c.Interval = 10801 * time.Second }, "peer_announce_interval = 10801 is long", ""},
		{"negative", func(c *tracker.Config) { c.Interval = -time.Second }, "", "peer_announce_interval = -1 is out of range"},
		{"beyond 32 bits", func(c *tracker.Config) { c.Interval = 1 << 31 * time.Second }, "", "peer_announce_interval"},
		{"fraction", func(c *tracker.Config) { c.MinInterval = 1500 * time.Millisecond }, "", "min_announce_interval = 1.5s"},
		{"min above interval", func(c *tracker.Config) { c.MinInterval = 1801 * time.Second }, "", "min_announce_interval = 1801 is longer"},
		{"min as interval", func(c *tracker.Config) { c.MinInterval = 1800 * time.Second }, "", ""},
		{"no peers", func(c *tracker.Config) { c.MaxPeers = 0 }, "max_peers = 0", ""},
		{"many peers", func(c *tracker.Config) { c.MaxPeers = 201 }, "max_peers = 201 is served as 200", ""},
		{"most peers", func(c *tracker.Config) { c.MaxPeers = 200 }, "", ""},
		{"negative peers", func(c *tracker.Config) { c.MaxPeers = -1 }, "", "max_peers = -1"},
		{"no scrapes", func(c *tracker.Config) { c.MaxScrapeTorrents = 0 }, "max_scrape_torrents = 0", ""},
		{"negative scrapes", func(c *tracker.Config) { c.MaxScrapeTorrents = -1 }, "", "max_scrape_torrents = -1"},
		{"unknown mode", func(c *tracker.Config) { c.PrivatePeers = 3 }, "", "hand_out_private_addresses"},
		{"bad prefix", func(c *tracker.Config) { c.TrustedPeerAddresses = []netip.Prefix{{}} }, "", "trusted_peer_address_sources"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := tracker.Default()
			tc.change(&cfg)
			warnings, err := cfg.Validate()
			if got := strings.Join(warnings, "\n"); (got == "") != (tc.warning == "") || !strings.Contains(got, tc.warning) {
				t.Errorf("warnings %q, want one of %q", got, tc.warning)
			}
			if (err == nil) != (tc.wrong == "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("error %v, want one of %q", err, tc.wrong)
			}
			if _, errNew := tracker.New(cfg, mustStore(t), nil); (errNew == nil) != (err == nil) {
				t.Errorf("New says %v, Validate %v", errNew, err)
			}
		})
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	cfg := tracker.Config{Interval: -time.Second, MaxPeers: -1, MaxScrapeTorrents: -1}
	_, err := cfg.Validate()
	for _, key := range []string{"peer_announce_interval", "max_peers", "max_scrape_torrents"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not in: %v", key, err)
		}
	}
}

func TestNewWantsAStore(t *testing.T) {
	if _, err := tracker.New(tracker.Default(), nil, nil); err == nil {
		t.Error("New took no store")
	}
}

func mustStore(t *testing.T) *swarm.Store {
	t.Helper()
	s, err := swarm.New(swarm.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
