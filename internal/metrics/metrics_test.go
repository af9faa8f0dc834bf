package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// sample is a snapshot in which no value that is shown is 0.
func sample() Snapshot {
	count := func(labels ...string) (list []Count) {
		for i, l := range labels {
			list = append(list, Count{l, uint64(i + 1)})
		}
		return list
	}
	return Snapshot{
		Tracker: Tracker{
			Requests: []Requests{
				{0, KindAnnounce, FamilyIPv4, OutcomeOK, 10},
				{0, KindAnnounce, FamilyIPv6, OutcomeOK, 11},
				{0, KindAnnounce, FamilyIPv4, "port_missing", 2},
				{0, KindAnnounce, FamilyIPv4, "unregistered", 3},
				{0, KindScrape, FamilyIPv4, OutcomeOK, 5},
				{0, KindScrape, FamilyIPv4, "scrape_empty", 1},
				{1, KindAnnounce, FamilyIPv4, OutcomeOK, 100},
			},
			Announces:       []ByFamily{{"regular", 100, 10}, {"started", 10, 1}},
			ScrapedTorrents: 7, PeersHandedOut: 8, UnreachablePorts: 9,
			Latency: Histogram{
				Bounds:  []time.Duration{time.Microsecond, 2 * time.Microsecond},
				Buckets: []uint64{3, 2, 1}, Sum: 25 * time.Microsecond,
			},
		},
		Server: Server{
			Requests: []ByFamily{{"handled", 121, 11}, {"404", 2, 0}},
			BytesIn:  1000, BytesOut: 2000,
			Accepted: ByFamily{IPv4: 50, IPv6: 5}, Open: count("idle", "busy"),
			Limits: count("connections"), Ended: count("served", "idle"), Handshakes: count("done", "cipher"), Resumed: 3,
			Refused: count("connections", "rate"), AcceptPauses: 1, AcceptErrors: 2,
			LoopStall: []time.Duration{0, time.Minute}, LoopBusy: []float64{.25, 1}, OpenByWorker: []uint64{0, 2},
		},
		Store: Store{
			Torrents: 30, TorrentsIPv4: 29, TorrentsIPv6: 3, Remembered: 4, PeersIPv4: 60, PeersIPv6: 6, Seeders: Families{38, 2}, Leechers: Families{22, 4},
			MemoryBytes: 1 << 20, MemoryLimitBytes: 1 << 30, Passes: 3, SinceSweep: time.Second, SweepInterval: 30 * time.Second,
			Removed: count("expired", "refused"), Refused: 1, Forgotten: 2,
		},
		Access: Access{
			Mode: "deny", Entries: 12, LastReload: time.Unix(1700000000, 5e8), LastReloadGood: true, Reloads: count("ok", "failed"),
		},
		Saved:        &Saved{Written: time.Unix(1700000000, 0), Bytes: 4096, Took: 20 * time.Millisecond, Writes: count("ok", "failed")},
		State:        "ready",
		Certificates: []Certificate{{"tracker.example", time.Unix(1800000000, 0)}},
	}
}

func newMetrics(t *testing.T, namespace string) *Metrics {
	t.Helper()
	m, err := New(Config{Namespace: namespace, Version: "1.2.3", Commit: "abcdef"}, sample)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

// scrape returns the lines of a scrape that start with prefix.
func scrape(t *testing.T, m *Metrics, prefix string) []string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(rec.Result().Body)
	if err != nil || rec.Code != http.StatusOK {
		t.Fatalf("scrape: status %d, %v\n%s", rec.Code, err, body)
	}
	var lines []string
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestLint(t *testing.T) {
	for _, namespace := range []string{"", "aquatic", "my_tracker"} {
		problems, err := testutil.GatherAndLint(newMetrics(t, namespace).registry)
		if err != nil {
			t.Fatalf("namespace %q: %v", namespace, err)
		}
		for _, p := range problems {
			t.Errorf("namespace %q: %s: %s", namespace, p.Metric, p.Text)
		}
	}
}

// TestGolden compares all that is ours with testdata/spate.txt.
func TestGolden(t *testing.T) {
	want, err := os.ReadFile("testdata/spate.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range scrape(t, newMetrics(t, ""), "spate_") {
		if !strings.HasPrefix(line, "spate_kernel_") && !strings.HasPrefix(line, "spate_build_info") {
			got = append(got, line)
		}
	}
	compare(t, got, strings.Split(strings.TrimSpace(string(want)), "\n"))
}

func TestAquaticNamespace(t *testing.T) {
	m := newMetrics(t, "aquatic")
	compare(t, scrape(t, m, "aquatic_"), strings.Split(strings.TrimSpace(`
aquatic_active_connections{worker_index="0"} 1
aquatic_active_connections{worker_index="1"} 2
aquatic_peers{ip_version="4",worker_index="0"} 60
aquatic_peers{ip_version="6",worker_index="0"} 6
aquatic_requests_total{ip_version="4",type="announce",worker_index="0"} 15
aquatic_requests_total{ip_version="4",type="announce",worker_index="1"} 100
aquatic_requests_total{ip_version="4",type="scrape",worker_index="0"} 6
aquatic_requests_total{ip_version="6",type="announce",worker_index="0"} 11
aquatic_responses_total{ip_version="4",type="announce",worker_index="0"} 10
aquatic_responses_total{ip_version="4",type="announce",worker_index="1"} 100
aquatic_responses_total{ip_version="4",type="error",worker_index="0"} 6
aquatic_responses_total{ip_version="4",type="scrape",worker_index="0"} 5
aquatic_responses_total{ip_version="6",type="announce",worker_index="0"} 11
aquatic_torrents{ip_version="4",worker_index="0"} 29
aquatic_torrents{ip_version="6",worker_index="0"} 3
`), "\n"))
	if len(scrape(t, m, "spate_requests_total")) == 0 {
		t.Error("the aquatic namespace lost spate's own metrics")
	}
}

func TestOwnNamespace(t *testing.T) {
	m := newMetrics(t, "my_tracker")
	if own, spate := scrape(t, m, "my_tracker_"), scrape(t, m, "spate_"); len(own) < 40 || len(spate) != 0 {
		t.Errorf("%d lines of my_tracker, %d of spate", len(own), len(spate))
	}
	for _, bad := range []string{"9lives", "a-b", "a b", "a:b", "ä"} {
		if _, err := New(Config{Namespace: bad}, sample); err == nil || !strings.Contains(err.Error(), "namespace") {
			t.Errorf("namespace %q: %v", bad, err)
		}
	}
}

func TestBuildGoAndProcess(t *testing.T) {
	m := newMetrics(t, "")
	for _, want := range []string{
		`spate_build_info{commit="abcdef",goversion="go`, "go_goroutines ", "process_cpu_seconds_total ",
		"process_resident_memory_bytes ", "process_open_fds ", "process_max_fds ", "process_start_time_seconds ",
	} {
		lines := scrape(t, m, want)
		if len(lines) != 1 || strings.HasSuffix(lines[0], " 0") && !strings.HasPrefix(want, "process_cpu") {
			t.Errorf("%s: %q", want, lines)
		}
	}
}

// TestNoCompression: it would double what a scrape costs.
func TestNoCompression(t *testing.T) {
	rec, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	newMetrics(t, "").Handler().ServeHTTP(rec, r)
	if coding := rec.Header().Get("Content-Encoding"); coding != "" && coding != "identity" || rec.Body.Len() < 10_000 {
		t.Errorf("%d bytes in %q", rec.Body.Len(), coding)
	}
}

// TestHelpIsASentence holds that HELP can be read by people.
func TestHelpIsASentence(t *testing.T) {
	sentence := regexp.MustCompile(`^# HELP \S+ [A-Z0-9].+\.$`)
	for _, namespace := range []string{"spate", "aquatic"} {
		for _, line := range scrape(t, newMetrics(t, namespace), "# HELP "+namespace) {
			if !sentence.MatchString(line) {
				t.Errorf("no sentence: %s", line)
			}
		}
	}
}

// TestEmptySnapshot: a tracker that has just started has metrics too.
func TestEmptySnapshot(t *testing.T) {
	m, err := New(Config{}, func() Snapshot { return Snapshot{} })
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, want := range []string{
		"spate_torrents 0", "spate_request_duration_seconds_count 0", "spate_access_list_last_reload_successful 1",
		`spate_access_list_mode{mode="off"} 0`,
	} {
		if lines := scrape(t, m, want); len(lines) != 1 {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestParseNetstat(t *testing.T) {
	got := parseNetstat([]byte("TcpExt: A ListenOverflows B\nTcpExt: 1 22 -3\nIpExt: A\nIpExt: 7\n"))
	if len(got) != 2 || got["A"] != 1 || got["ListenOverflows"] != 22 {
		t.Errorf("parsed %v", got)
	}
	for _, bad := range []string{"", "TcpExt:", "TcpExt: A\nTcpExt: 1 2 3\n", "IpExt: A\nIpExt: 1\n"} {
		if n := len(parseNetstat([]byte(bad))); n > 1 {
			t.Errorf("%q: %d values", bad, n)
		}
	}
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, g, w)
		}
	}
}
