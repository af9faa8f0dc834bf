package daemon

import (
	"log/slog"
	"net/netip"
	"net/url"
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
		base := "http://" + d.Addrs()[0].String()
		get(t, base+"/announce?port=1001&left=1&compact=0&ip=9.8.7.6&ipv4=9.8.7.6&ipv6=2001:db8::1&localip=10.9.8.7&info_hash="+url.QueryEscape(hash))
		get(t, base+"/announce?port=none&info_hash="+url.QueryEscape(hash))
		got := b.String()
		for _, want := range []string{"level=TRACE msg=request path=/announce query=", "port=1001&left=1&compact=0&ip", "port is invalid"} {
			if !strings.Contains(got, want) {
				t.Errorf("log_addresses = %v: no %q in\n%s", addresses, want, got)
			}
		}
		_, got, _ = strings.Cut(got, "level=TRACE") // what is before it names our own listeners
		for _, address := range []string{"client=127.0.0.1", "2:ip9:127.0.0.1", "9.8.7.6", "2001:db8::1", "10.9.8.7"} {
			if shown := strings.Contains(got, address); shown != addresses {
				t.Errorf("log_addresses = %v, but %q in the log: %v\n%s", addresses, address, shown, got)
			}
		}
	}
}

// TestTraceEscapesTheWire: also what is valid UTF-8 and means something to a
// terminal.
func TestTraceEscapesTheWire(t *testing.T) {
	for _, format := range []config.LogFormat{config.LogText, config.LogJSON} {
		cfg := loopback()
		cfg.LogLevel, cfg.Log.Format, cfg.Log.LogAddresses = config.LevelTrace, format, true
		var b lockedBuilder
		log := NewLog(&cfg, &b)
		w := tracedWorker{log: log, addresses: true}
		w.trace(netip.MustParseAddr("127.0.0.1"), []byte("/\x1b[31m"), []byte("a=\xff\xc2\x9b2J\x7f"), []byte("5:peers3:\x00\r\n"))
		for _, want := range []string{"/%1B[31m", "a=%FF%C2%9B2J%7F", "5:peers3:%00%0D%0A"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %s in %q", format, want, b.String())
			}
		}
	}
}
