package daemon

import (
	"log/slog"
	"strings"
	"testing"

	"spate/internal/config"
)

func TestMonitorLogsWhatGrows(t *testing.T) {
	var b strings.Builder
	m := newMonitor(slog.New(slog.NewTextHandler(&b, nil)))
	m.look(&tally{})
	if b.Len() > 0 {
		t.Errorf("nothing happened, but %s", b.String())
	}
	m.look(&tally{full: 3, limits: map[string]uint64{"request_rate": 5}})
	m.look(&tally{full: 3, limits: map[string]uint64{"request_rate": 7}})
	got := b.String()
	for _, want := range []string{
		`the store is full: new torrents are refused (max_memory, max_torrents)" times=3`,
		`requests_per_second_per_ip" times=5`,
		`requests_per_second_per_ip" times=2`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 3 {
		t.Errorf("%d lines:\n%s", n, got)
	}
}

// TestConcernsHaveTheirCounters: labels are the server's to name, so every limit
// that it counts has to have a line of ours, and the other way round.
func TestConcernsHaveTheirCounters(t *testing.T) {
	d := start(t, loopback(), nil)
	got := d.tally()
	for _, c := range d.server.Stats().Refused {
		probe := &tally{limits: map[string]uint64{c.Label: 1}}
		found := false
		for _, concern := range concerns() {
			found = found || concern.count(probe) == 1
		}
		if !found {
			t.Errorf("no concern counts refusals by %s", c.Label)
		}
	}
	for _, label := range []string{"connections", "address_connections", "connection_rate", "request_rate"} {
		if _, found := got.limits[label]; !found {
			t.Errorf("the server counts no %s", label)
		}
	}
}

func TestTraceShowsAddressesOnlyWhenAsked(t *testing.T) {
	for _, addresses := range []bool{false, true} {
		cfg := loopback()
		cfg.LogLevel = config.LevelTrace
		cfg.Log.LogAddresses = addresses
		var b lockedBuilder
		d := start(t, cfg, NewLog(&cfg, &b))
		announce(t, d.Addrs()[0], "1000")
		got := b.String()
		if !strings.Contains(got, "level=TRACE msg=request path=/announce query=") {
			t.Errorf("no trace of the request in\n%s", got)
		}
		if shown := strings.Contains(got, "client=127.0.0.1"); shown != addresses {
			t.Errorf("log_addresses = %v, but addresses in the log: %v", addresses, shown)
		}
	}
}
