package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const token = "correct-horse"

// fake is what the listener shows in tests.
type fake struct {
	mu         sync.Mutex
	health     Health
	level      string
	invariants error
}

func (f *fake) sources() Sources {
	return Sources{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "spate_torrents 7\n") }),
		Health:  func() Health { f.mu.Lock(); defer f.mu.Unlock(); return f.health },
		Stats: func() Stats {
			return Stats{
				Build: Build{Version: "1.2.3"}, Started: time.Now().Add(-time.Minute),
				Store: Store{Torrents: 7}, Announces: Requests{Total: Families{IPv4: 5}},
			}
		},
		LogLevel: func() string { f.mu.Lock(); defer f.mu.Unlock(); return f.level },
		SetLogLevel: func(level string) error {
			if level != "debug" && level != "info" {
				return errors.New("give debug or info")
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.level = level
			return nil
		},
		Invariants: func() error { return f.invariants },
	}
}

// start runs a server until the test ends and returns how to ask it.
func start(t *testing.T, cfg Config, src Sources) *client {
	t.Helper()
	s, err := New(cfg, src, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	c := &client{t: t, server: s, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, s.Addr().Network(), s.Addr().String())
		},
	}}}
	t.Cleanup(func() {
		c.http.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return c
}

type client struct {
	t      *testing.T
	server *Server
	http   *http.Client
}

// do asks for a path; headers are pairs of name and value.
func (c *client) do(method, path, body string, headers ...string) (status int, answer string, header http.Header) {
	c.t.Helper()
	r, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func (c *client) want(method, path, body string, status int, part string, headers ...string) {
	c.t.Helper()
	got, answer, _ := c.do(method, path, body, headers...)
	if got != status || !strings.Contains(answer, part) {
		c.t.Errorf("%s %s %q: %d %q, want %d and %q", method, path, headers, got, answer, status, part)
	}
}

const loopback = "127.0.0.1:0"

func TestRoutes(t *testing.T) {
	f := &fake{health: Health{State: StateReady}, level: "info"}
	c := start(t, Config{Address: loopback}, f.sources())
	c.want("GET", "/metrics", "", 200, "spate_torrents 7")
	c.want("GET", "/", "", 200, "<title>Spate</title>")
	c.want("GET", "/nothing", "", 404, "")
	c.want("POST", "/metrics", "", 405, "")
	c.want("GET", "/log-level", "", 200, "info")
	c.want("PUT", "/log-level", "Debug\n", 200, "debug")
	c.want("POST", "/log-level", "info", 200, "info")
	c.want("PUT", "/log-level", "loud", 400, "give debug or info")
	c.want("PUT", "/log-level", strings.Repeat("x", 100), 400, "name of a log level")
	c.want("GET", "/debug/pprof/", "", 404, "")
	c.want("GET", "/debug/invariants", "", 404, "")
}

func TestStats(t *testing.T) {
	f := &fake{health: Health{State: StateStuck, Problems: []string{"loop 1 hangs"}}}
	c := start(t, Config{Address: loopback}, f.sources())
	status, answer, header := c.do("GET", "/stats.json", "")
	var got Stats
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status != 200 || header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, %s, %v: %s", status, header.Get("Content-Type"), err, answer)
	}
	if got.Store.Torrents != 7 || got.State != "stuck" || len(got.Problems) != 1 || got.UptimeSeconds < 60 || got.Process.Goroutines == 0 {
		t.Errorf("stats: %s", answer)
	}
	c.want("GET", "/history.json", "", 200, `"announces_per_second":[]`)
}

func TestHealth(t *testing.T) {
	f := new(fake)
	c := start(t, Config{Address: loopback, Token: token}, f.sources())
	for _, tc := range []struct {
		state             State
		both, live, ready int
	}{
		{StateStarting, 503, 200, 503},
		{StateReady, 200, 200, 200},
		{StateStopping, 503, 200, 503},
		{StateStuck, 503, 503, 503},
	} {
		f.mu.Lock()
		f.health = Health{State: tc.state, Problems: []string{"a detail"}}
		f.mu.Unlock()
		c.want("GET", "/health", "", tc.both, `"status": "`+tc.state.String()+`"`)
		c.want("GET", "/health/live", "", tc.live, "")
		c.want("GET", "/health/ready", "", tc.ready, "")
		c.want("HEAD", "/health", "", tc.both, "")
	}
	if _, answer, _ := c.do("GET", "/health", ""); strings.Contains(answer, "a detail") {
		t.Errorf("details without token: %s", answer)
	}
	c.want("GET", "/health", "", 503, "a detail", "Authorization", "Bearer "+token)
}

func TestToken(t *testing.T) {
	f := &fake{health: Health{State: StateReady}, level: "info"}
	c := start(t, Config{Address: loopback, Token: token, Debug: true}, f.sources())
	for _, path := range []string{"/metrics", "/stats.json", "/history.json", "/log-level", "/debug/pprof/", "/debug/invariants"} {
		c.want("GET", path, "", 401, "token")
		for _, wrong := range []string{"Bearer", "Bearer ", "Bearer wrong", "Bearer " + token + "x", "Basic " + token, token} {
			c.want("GET", path, "", 401, "token", "Authorization", wrong)
		}
		c.want("GET", path, "", 200, "", "Authorization", "Bearer "+token)
		c.want("GET", path, "", 200, "", "Authorization", "bearer  "+token)
	}
	c.want("PUT", "/log-level", "debug", 401, "")
	c.want("GET", "/", "", 200, "<title>")
	// With a token any name will do.
	c.want("GET", "/metrics", "", 200, "", "Authorization", "Bearer "+token, "Host", "tracker.example")
}

func TestTokenIsNotLogged(t *testing.T) {
	var log strings.Builder
	g := newGuard(&Config{Token: token, Address: loopback}, slog.New(slog.NewTextHandler(&log, nil)))
	at := time.Unix(1700000000, 0)
	for i := range 10 {
		g.note(at.Add(time.Duration(i) * time.Second))
	}
	g.note(at.Add(occasionEvery))
	if s := log.String(); strings.Count(s, "\n") != 2 || !strings.Contains(s, "count=1\n") || !strings.Contains(s, "count=10\n") || strings.Contains(s, token) {
		t.Errorf("log: %s", s)
	}
	_, err := New(Config{Address: "192.0.2.1:1", Token: "two words"}, Sources{}, nil)
	if err == nil || strings.Contains(err.Error(), "two words") {
		t.Errorf("the error shows the token: %v", err)
	}
}

// TestStrangersPages holds that a page in a browser on this machine can
// neither read nor change anything through a listener without token.
func TestStrangersPages(t *testing.T) {
	f := &fake{health: Health{State: StateReady}, level: "info"}
	c := start(t, Config{Address: loopback}, f.sources())
	for _, host := range []string{"localhost", "LOCALHOST:3001", "127.0.0.1", "127.0.0.1:3001", "[::1]:3001", "[::1]", "127.8.9.1"} {
		c.want("GET", "/stats.json", "", 200, "", "Host", host)
	}
	for _, host := range []string{"evil.example", "evil.example:3001", "127.0.0.1.evil.example", "192.0.2.1", "localhost.evil.example"} {
		c.want("GET", "/stats.json", "", 403, "localhost", "Host", host)
	}
	c.want("POST", "/log-level", "debug", 403, "", "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site")
	c.want("GET", "/log-level", "", 200, "info")
}

// TestStrangersDebug holds that another site's page cannot have profiles made, while
// the operator's browser and tools can.
func TestStrangersDebug(t *testing.T) {
	c := start(t, Config{Address: loopback, Debug: true}, (&fake{}).sources())
	for _, path := range []string{"/debug/pprof/heap?gc=1", "/debug/pprof/cmdline", "/debug/invariants"} {
		for _, site := range []string{"cross-site", "same-site"} {
			c.want("GET", path, "", 403, "by hand", "Sec-Fetch-Site", site)
		}
		for _, site := range []string{"none", "same-origin"} {
			c.want("GET", path, "", 200, "", "Sec-Fetch-Site", site)
		}
	}
}

func TestDebug(t *testing.T) {
	f := &fake{health: Health{State: StateReady}}
	c := start(t, Config{Address: loopback, Debug: true}, f.sources())
	c.want("GET", "/debug/pprof/", "", 200, "goroutine")
	c.want("GET", "/debug/pprof/heap?debug=1", "", 200, "heap profile")
	c.want("GET", "/debug/invariants", "", 200, "ok")
	f.invariants = errors.New("shard 3: a peer too many")
	c.want("GET", "/debug/invariants", "", 500, "a peer too many")
	c.server.checking.Lock()
	c.want("GET", "/debug/invariants", "", 429, "under way")
	c.server.checking.Unlock()
}

func TestPageHeaders(t *testing.T) {
	f := &fake{health: Health{State: StateReady}}
	c := start(t, Config{Address: loopback}, f.sources())
	_, page, header := c.do("GET", "/", "")
	policy := header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8"} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	// The policy would stop these, in the operator's browser only.
	for _, bad := range []string{"{{", " style=\"", " onclick", "src=\"http", "href=\"http", "url(", "@import"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestMetricsOnly(t *testing.T) {
	c := start(t, Config{Address: loopback, MetricsOnly: true}, new(fake).sources())
	c.want("GET", "/metrics", "", 200, "spate_torrents", "Host", "tracker.example")
	for _, path := range []string{"/", "/stats.json", "/health", "/log-level", "/debug/pprof/"} {
		c.want("GET", path, "", 404, "")
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	f := &fake{health: Health{State: StateReady}}
	// The socket of a run that was killed lies there still.
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	c := start(t, Config{Address: "unix:" + path}, f.sources())
	c.want("GET", "/health", "", 200, "ready")
	c.want("GET", "/stats.json", "", 200, "", "Host", "anything")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("the socket's mode: %v, %v", info.Mode(), err)
	}
	if _, err := New(Config{Address: "unix:" + path}, f.sources(), nil); err == nil {
		t.Error("a second server took the socket of the first")
	}
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Address: "unix:" + file}, f.sources(), nil); err == nil {
		t.Error("a file was taken for a socket")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file is now %q, %v", b, err)
	}
}
