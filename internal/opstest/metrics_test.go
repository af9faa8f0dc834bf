package opstest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// ourMetric matches the names of metrics that Spate exposes.
var ourMetric = regexp.MustCompile(`\b(spate|process|go)_[a-z0-9_]+\b`)

// exposed returns the names of all metrics that a running tracker exposes,
// with those that histograms are made of. It has a TLS and a plain listener,
// since certificates and event loops have metrics of their own.
func exposed(t *testing.T) map[string]bool {
	t.Helper()
	dir, socket := t.TempDir(), filepath.Join(shortDir(t), "admin")
	certificate(t, dir)
	write(t, filepath.Join(dir, "spate.toml"), `
[network]
address_ipv4 = "127.0.0.1:0"
use_ipv6 = false
enable_tls = true
tls_certificate_path = "cert.pem"
tls_private_key_path = "key.pem"
[[listeners]]
address = "unix:`+socket+`.http"
[snapshot]
path = "swarms"
[admin]
address = "unix:`+socket+`"
`)
	startTracker(t, dir, "spate.toml")
	names := map[string]bool{}
	for line := range strings.Lines(getUnix(t, socket, "/metrics")) {
		if name := submatch(line, `^([a-z][a-z0-9_]*)[{ ]`); name != "" {
			names[name] = true
		}
	}
	return names
}

// TestAlerts holds the alerts by promtool and by their own tests.
func TestAlerts(t *testing.T) {
	dir := filepath.Join(root, "deploy/prometheus")
	run(t, dir, "promtool", "check", "config", "scrape.yml")
	run(t, dir, "promtool", "test", "rules", "alerts_test.yml")
	tests := read(t, filepath.Join(dir, "alerts_test.yml"))
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(read(t, filepath.Join(dir, "alerts.yml")), -1) {
		// Once where it fires, once where it does not, once where all is well.
		if n := strings.Count(tests, "alertname: "+m[1]+"\n"); n < 3 {
			t.Errorf("%s is tested %d times, want 3", m[1], n)
		}
	}
}

// expressions returns all values of "expr" and "query" of a dashboard.
func expressions(node any) (list []string) {
	switch n := node.(type) {
	case map[string]any:
		for key, value := range n {
			text, isText := value.(string)
			if isText && key == "expr" {
				list = append(list, text)
			}
			list = append(list, expressions(value)...)
		}
	case []any:
		for _, value := range n {
			list = append(list, expressions(value)...)
		}
	}
	return list
}

// TestDashboard: Grafana's variables filled in, Prometheus can read every
// expression of the dashboard.
func TestDashboard(t *testing.T) {
	var dashboard any
	if err := json.Unmarshal([]byte(read(t, filepath.Join(root, "deploy/grafana/spate.json"))), &dashboard); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$job", "spate", "$instance", ".*")
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	exprs := expressions(dashboard)
	if len(exprs) < 30 {
		t.Fatalf("%d expressions", len(exprs))
	}
	for i, expr := range exprs {
		quoted, err := json.Marshal(fill.Replace(expr)) // YAML reads JSON's strings
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&rules, "  - record: panel:%d\n    expr: %s\n", i, quoted)
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	write(t, path, rules.String())
	run(t, ".", "promtool", "check", "rules", "--lint=none", path)
}

// TestMetricNames: no alert, panel or page names a metric that the tracker does
// not expose.
func TestMetricNames(t *testing.T) {
	known := exposed(t)
	paths := append(documents(t), "deploy/prometheus/alerts.yml", "deploy/grafana/spate.json")
	seen := 0
	for _, path := range paths {
		for _, name := range ourMetric.FindAllString(read(t, filepath.Join(root, path)), -1) {
			seen++
			if !known[name] {
				t.Errorf("%s: the tracker exposes no metric %s", path, name)
			}
		}
	}
	if seen < 50 {
		t.Errorf("%d names of metrics were found: the pattern is wrong", seen)
	}
}

// certificate writes cert.pem and key.pem for localhost into dir.
func certificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	chain, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain})))
	write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
}

// getUnix asks an HTTP server on a unix socket.
func getUnix(t *testing.T, socket, path string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}, DisableKeepAlives: true}}
	reply, err := client.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", path, reply.Status, err)
	}
	return string(body)
}
