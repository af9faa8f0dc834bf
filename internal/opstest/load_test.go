package opstest

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// One listener for each way in which a client's address is told. Their order is
// that of the ports.
const loadedTracker = `
log_level = "info"
[network]
use_ipv6 = false
address_ipv4 = "127.0.0.1:0"
tls_certificate_path = "cert.pem"
tls_private_key_path = "key.pem"
[limits]
requests_per_second_per_ip = 0
[[listeners]]
address = "127.0.0.1:0"
tls = true
[[listeners]]
address = "127.0.0.1:0"
proxy = "header"
[[listeners]]
address = "127.0.0.1:0"
proxy = "proxy_protocol"
`

// The load tester has nothing against the tracker, whatever it says and checks.
// All run against one tracker: none may take another's peers for the tracker's
// mistake.
func TestSpateLoadFindsNoFaultInSpate(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	write(t, filepath.Join(dir, "spate.toml"), loadedTracker)
	tr := startTracker(t, dir, "spate.toml")
	ports := submatches(read(t, tr.log), `address=127\.0\.0\.1:(\d+)`)
	if len(ports) != 4 {
		t.Fatalf("%d ports in\n%s", len(ports), read(t, tr.log))
	}
	const lives = "[peers]\nmodel = \"lives\"\nnumber = 2000\n[mix]\nclient = \"mixed\"\nnon_compact = 0.1\nmalformed = 0.05\nscrape_min = 1\nscrape_max = 100\n"
	for _, c := range []struct {
		name string
		port int
		text string
	}{
		{"aquatic's file", 0, "[torrents]\nweight_scrape = 1\n"},
		{"closed", 0, "keep_alive = false\n" + lives},
		{"open loop, slow readers", 0, "rate = {mode = \"open\", requests_per_second = 300}\n" + lives + "slow_readers = 0.2\n"},
		{"source addresses", 0, "keep_alive = false\naddresses = {source = \"loopback\", number = 500}\n" + lives},
		{"two workers", 0, "num_workers = 2\n" + lives},
		{"TLS", 1, "enable_tls = true\n" + lives},
		{"TLS, resumed", 1, "enable_tls = true\nkeep_alive = false\ncheck = {tls_resume = true}\n" + lives},
		{"X-Forwarded-For", 2, "addresses = {source = \"x-forwarded-for\", number = 5000, ipv6 = 0.3}\n" + lives},
		{"few addresses", 2, "addresses = {source = \"x-forwarded-for\", number = 3}\n"},
		{"PROXY protocol, version 1", 3, "keep_alive = false\naddresses = {source = \"proxy-v1\", number = 5000, ipv6 = 0.3}\n" + lives},
		{"PROXY protocol, version 2", 3, "addresses = {source = \"proxy-v2\", number = 5000, ipv6 = 0.3}\n" + lives},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(c.text, "enable_tls") {
				c.text = "enable_tls = false\n" + c.text
			}
			loadSpate(t, "127.0.0.1:"+ports[c.port], c.text)
		})
	}
}

// loadSpate runs spate-load with verification for a second, and wants replies and
// no fault. A second in which other programs left it no processor to send anything
// is run again.
func loadSpate(t *testing.T, address, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "load.toml")
	write(t, path, fmt.Sprintf("num_connections = 16\nconnection_creation_interval_ms = 0\n%s", text))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		out, err := exec.CommandContext(ctx, filepath.Join(binDir, "spate-load"), "-c", path, "--server", address, "--verify", "--duration", "1", "--json").CombinedOutput()
		var report struct {
			Requests  int            `json:"requests"`
			Responses map[string]int `json:"responses"`
			Faults    map[string]int `json:"faults"`
		}
		if wrong := json.Unmarshal(out, &report); wrong != nil {
			t.Fatalf("%v, %v in\n%s", err, wrong, out)
		}
		faults := 0
		for _, n := range report.Faults {
			faults += n
		}
		if report.Requests+faults == 0 && ctx.Err() == nil {
			continue
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if report.Responses["announce"] == 0 {
			t.Errorf("no announce was answered:\n%s", out)
		}
		return
	}
}
