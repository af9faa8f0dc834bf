package load

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// enough is how many requests most tests' runs go on for.
func enough(total *Tally) bool { return total.Answered()+total.Faults.Total() >= 2000 }

// runAgainst runs cfg until done says so of all that was counted.
func runAgainst(t *testing.T, cfg Config, done func(total *Tally) bool) *Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	total := NewTally()
	r, err := Run(ctx, cfg, Options{Every: 20 * time.Millisecond, Progress: func(part *Report, _ time.Duration) {
		total.Merge(part.Tally)
		if done(total) {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// busyConfig is a run with everything on.
func busyConfig(address string) Config {
	cfg := DefaultConfig()
	cfg.ServerAddress = address
	cfg.NumConnections = 8
	cfg.ConnectionCreationIntervalMS = 0
	cfg.Torrents.NumberOfTorrents = 20
	cfg.Torrents.WeightScrape = 1
	cfg.Torrents.TorrentGammaShape = 1
	cfg.Peers = PeerConfig{Model: modelLives, Number: 300, MeanAnnounces: 6, CompleteProbability: 0.2, VanishProbability: 0.2}
	cfg.Mix.Client = clientMixed
	cfg.Mix.NonCompact = 0.1
	cfg.Addresses = AddressConfig{Source: sourceXFF, Number: 100, IPv6: 0.3}
	cfg.Check.Verify = true
	return cfg
}

func TestAnHonestTrackerHasNoFaults(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"busy":      func(*Config) {},
		"close":     func(c *Config) { c.KeepAlive = false },
		"gamma":     func(c *Config) { c.Peers.Model = modelGamma },
		"own":       func(c *Config) { c.Addresses = AddressConfig{Source: sourceOwn, Number: 1} },
		"loopback":  func(c *Config) { c.Addresses = AddressConfig{Source: sourceLoopback, Number: 5} },
		"malformed": func(c *Config) { c.Mix.Malformed = 0.2 },
		"slow":      func(c *Config) { c.Mix.SlowReaders = 0.5 },
		"open loop": func(c *Config) { c.Rate.Mode, c.Rate.RequestsPerSecond = modeOpen, 5000 },
		"workers":   func(c *Config) { c.NumWorkers = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := busyConfig(newToyTracker(t, "", false).address())
			change(&cfg)
			r := runAgainst(t, cfg, enough)
			wantFaults(t, r)
			if r.Tally.Replies[KindAnnounce] == 0 || r.Tally.Replies[KindScrape] == 0 || r.Tally.Peers == 0 {
				t.Errorf("%d announces, %d scrapes and %d peers in replies, want some of each",
					r.Tally.Replies[KindAnnounce], r.Tally.Replies[KindScrape], r.Tally.Peers)
			}
		})
	}
}

func TestTLSRunsVerifyToo(t *testing.T) {
	cfg := busyConfig(newToyTracker(t, "", true).address())
	cfg.EnableTLS = true
	cfg.Check.TLSResume = true
	r := runAgainst(t, cfg, enough)
	wantFaults(t, r)
	if r.Tally.Replies[KindAnnounce] == 0 {
		t.Error("no announce was answered")
	}
}

// Each wrong tracker has to be reported as what it is, and as nothing else.
func TestEachWrongTrackerIsFoundOut(t *testing.T) {
	for wrong, want := range map[string]Fault{
		"drops":             FaultClosed,
		"resets":            FaultReset,
		"is silent":         FaultTimeout,
		"sends errors":      FaultStatus,
		"adds bytes":        FaultBadReply,
		"accepts anything":  FaultAccepted,
		"refuses":           FaultRefusal,
		"miscounts":         FaultCounts,
		"invents downloads": FaultCounts,
		"invents peers":     FaultStrangePeer,
		"returns self":      FaultSelf,
		"repeats peers":     FaultTwice,
		"keeps the dead":    FaultStalePeer,
		"gives too much":    FaultTooMany,
		"forgets hashes":    FaultScrapeHash,
	} {
		t.Run(wrong, func(t *testing.T) {
			cfg := busyConfig(newToyTracker(t, wrong, false).address())
			allowed, done := []Fault{want}, enough
			switch wrong {
			case "is silent":
				cfg.Check.Timeout = 1
				// Each connection waits for a second, again and again.
				done = func(total *Tally) bool { return total.Faults.Total() > 0 }
			case "accepts anything":
				cfg.Mix.Malformed = 0.2
				// What it makes of a hash that is none is counted somewhere.
				allowed = append(allowed, FaultCounts, FaultStrangePeer)
			case "gives too much":
				cfg.Mix.NumWant = []int{1}
				allowed = append(allowed, FaultTwice)
			}
			r := runAgainst(t, cfg, done)
			example := map[string]string{"adds bytes": "canonical bencode", "sends errors": "status 500", "refuses": "refused"}[wrong]
			if !strings.Contains(r.Tally.Examples[want], example) {
				t.Errorf("the example is %q, want one with %q", r.Tally.Examples[want], example)
			}
			if r.Tally.Faults[want] == 0 {
				t.Errorf("%v was not reported", want)
			}
			for f, n := range r.Tally.Faults {
				if n > 0 && !slices.Contains(allowed, Fault(f)) {
					t.Errorf("%v was reported %d times", Fault(f), n)
				}
			}
		})
	}
}

func TestATrackerThatIsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := busyConfig(l.Addr().String())
	l.Close()
	cfg.Duration = 1
	r, err := Run(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Tally.Faults[FaultRefused] == 0 || r.Tally.Answered() != 0 {
		t.Errorf("%d connections refused and %d replies, want some and none", r.Tally.Faults[FaultRefused], r.Tally.Answered())
	}
	if r.Tally.Opened != 0 {
		t.Errorf("%d connections are said to have been opened, want none", r.Tally.Opened)
	}
	// Each of the connections is tried once a tick.
	if got, most := r.Tally.Faults[FaultRefused], uint64(2*cfg.NumConnections*10); got > most {
		t.Errorf("%d connections were tried in a second, want %d at most", got, most)
	}
}

// What TLS says is the only hint to why no handshake succeeds.
func TestAHandshakeThatFailsIsExplained(t *testing.T) {
	cfg := busyConfig(newToyTracker(t, "", false).address())
	cfg.EnableTLS = true
	r := runAgainst(t, cfg, func(total *Tally) bool { return total.Faults.Total() > 0 })
	if got := r.Tally.Examples[FaultTLS]; !strings.Contains(got, "does not look like a TLS handshake") {
		t.Errorf("the example is %q", got)
	}
}

// Which of the steps hold is up to how busy the machine is, so that is left to a
// model of a tracker in search_test.go.
func TestSearchLoadsTheTracker(t *testing.T) {
	cfg := busyConfig(newToyTracker(t, "", false).address())
	cfg.Rate = RateConfig{Mode: modeSearch, RequestsPerSecond: 50, P99LimitMS: 1000, StepDuration: 1}
	cfg.Duration = 3
	r, err := Run(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Searched || len(r.Steps) == 0 || r.Steps[0].Rate != 50 || r.Tally.Answered() == 0 {
		t.Errorf("searched %v, steps %+v, %d replies, want some, from 50/s on", r.Searched, r.Steps, r.Tally.Answered())
	}
	best := 0.0
	for _, s := range r.Steps {
		if s.Held {
			best = max(best, s.Rate)
		}
	}
	if r.SearchRate != best {
		t.Errorf("search rate is %v, want the best step's, %v", r.SearchRate, best)
	}
}

func wantFaults(t *testing.T, r *Report) {
	t.Helper()
	for f, n := range r.Tally.Faults {
		if n > 0 {
			t.Errorf("%v was reported %d times", Fault(f), n)
		}
	}
}

func TestReportsSayWhatWasCounted(t *testing.T) {
	r := &Report{Elapsed: 2 * time.Second, Tally: NewTally(), Saturated: true, Searched: true, SearchRate: 42, Steps: []Step{{Rate: 42, Held: true}, {Rate: 84, Faults: 3}}}
	r.Tally.Sent = 4
	for range 3 {
		r.Tally.record(KindAnnounce, 5*time.Millisecond)
	}
	r.Tally.Faults[FaultSelf] = 1
	var text, machine, histogram bytes.Buffer
	r.WriteRates(&text)
	r.WriteFinal(&text)
	for _, want := range []string{
		"Requests out: 2.00/second", "Responses in: 1.50/second", "Average responses per second: 1.50",
		"requester among its own peers: 1", "Warning: the load tester itself was busy", "42 requests a second: p99", "3 faults: too much", "Highest rate within the p99 limit: 42",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("report does not say %q:\n%s", want, &text)
		}
	}
	if err := r.WriteJSON(&machine); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Responses map[string]int                `json:"responses"`
		Latency   map[string]map[string]float64 `json:"latency_us"`
	}
	if err := json.Unmarshal(machine.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if p50 := got.Latency["announce"]["p50"]; got.Responses["announce"] != 3 || p50 < 4990 || p50 > 5010 {
		t.Errorf("JSON says %+v, want 3 announces of 5000 µs", got)
	}
	if err := r.WriteHistogram(&histogram); err != nil || !strings.Contains(histogram.String(), "Percentile") {
		t.Errorf("histogram %q, %v", &histogram, err)
	}
	for _, name := range []string{"a.svg", "a.png"} {
		path := filepath.Join(t.TempDir(), name)
		if err := r.Plot(path); err != nil {
			t.Errorf("plot: %v", err)
		} else if info, err := os.Stat(path); err != nil || info.Size() < 1000 {
			t.Errorf("plot %s has not been drawn: %v", name, err)
		}
	}
	if err := r.Plot("a.gif"); err == nil {
		t.Error("a .gif was drawn")
	}
}
