package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"spate/internal/config"
)

// loopback returns the default configuration on free ports of this machine.
func loopback() config.Config {
	cfg := config.Default()
	cfg.Network.AddressIPv4 = netip.MustParseAddrPort("127.0.0.1:0")
	cfg.Network.AddressIPv6 = netip.MustParseAddrPort("[::1]:0")
	return cfg
}

// start runs a daemon until the test ends. It must then stop without an error
// and with a store that is in order.
func start(t *testing.T, cfg config.Config, log *Log) *Daemon {
	t.Helper()
	d, err := New(cfg, Build{Version: "test"}, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := d.store.CheckInvariants(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// get returns the body of a reply with status 200.
func get(t *testing.T, url string) string {
	t.Helper()
	reply, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v\n%s", url, reply.Status, err, body)
	}
	return string(body)
}

const hash = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14"

// announce returns the reply to an announce of a leecher.
func announce(t *testing.T, at net.Addr, port string) string {
	t.Helper()
	q := url.Values{"info_hash": {hash}, "peer_id": {"-XX0000-012345678901"}, "port": {port}, "left": {"1"}}
	return get(t, "http://"+at.String()+"/announce?"+q.Encode())
}

func TestAnnounceOverBothFamilies(t *testing.T) {
	d := start(t, loopback(), nil)
	addrs := d.Addrs()
	if len(addrs) != 2 {
		t.Fatalf("listens on %v", addrs)
	}
	announce(t, addrs[0], "1000")
	if got := announce(t, addrs[1], "2000"); !strings.Contains(got, "10:incompletei2e") || !strings.Contains(got, "5:peers6:\x7f\x00\x00\x01\x03\xe8") {
		t.Errorf("the second one is told %q", got)
	}
	if got := get(t, "http://"+addrs[0].String()+"/"); !strings.Contains(got, "Spate") {
		t.Errorf("the index page is %q", got)
	}
}

func TestAllProblemsAtOnceAndNothingLeftOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("xyz\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "[network]\naddress_ipv4 = \"" + taken.Addr().String() + "\"\naddress_ipv6 = \"" + free.Addr().String() + "\"\n" +
		"[access_list]\nmode = \"deny\"\npath = \"" + list + "\"\n"
	cfg, err := config.Parse("spate.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(cfg, Build{}, nil)
	if err == nil {
		t.Fatal("it starts")
	}
	for _, want := range []string{
		`spate.toml:2: [network] address_ipv4 = "` + taken.Addr().String() + `": ` + taken.Addr().String() + " is in use by another process",
		`spate.toml:6: [access_list] path = "` + list + `": access list`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got\n%v\nwithout\n%s", err, want)
		}
	}
	again, err := net.Listen("tcp", free.Addr().String())
	if err != nil {
		t.Fatalf("a listener was left open: %v", err)
	}
	again.Close()
}

// lockedBuilder is a log that is read while it is written.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestReloadSwapsOrKeepsTheList(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	cfg := loopback()
	cfg.AccessList = config.AccessList{Mode: config.AccessAllow, Path: list}
	var text lockedBuilder
	d := start(t, cfg, NewLog(&cfg, &text))
	refused := func() bool { return strings.Contains(announce(t, d.Addrs()[0], "1000"), "unregistered torrent") }
	if !refused() {
		t.Error("an empty list allows")
	}
	const empty = `level=WARN msg="the access list is empty: every torrent is refused"`
	if n := strings.Count(text.String(), empty); n != 1 {
		t.Errorf("said %d times that the list is empty:\n%s", n, text.String())
	}
	write("0102030405060708090a0b0c0d0e0f1011121314\n")
	if err := d.Reload(); err != nil || refused() {
		t.Errorf("the new list does not hold: %v", err)
	}
	write("0102030405060708090a0b0c0d0e0f1011121314\nnonsense\n")
	if err := d.Reload(); err == nil || refused() {
		t.Errorf("a broken list replaced a good one: %v", err)
	}
	for _, want := range []string{
		`msg="the access list was reloaded" added=1 removed=0 hashes=1`,
		`msg="the access list was not reloaded, the old one stays"`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, text.String())
		}
	}
	write("# nothing\n")
	if err := d.Reload(); err != nil || !refused() || strings.Count(text.String(), empty) != 2 {
		t.Errorf("a list that became empty: %v\n%s", err, text.String())
	}
}

func TestWatchedListIsReloaded(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := loopback()
	cfg.AccessList = config.AccessList{Mode: config.AccessAllow, Path: list, Watch: true}
	d := start(t, cfg, nil)
	announce(t, d.Addrs()[0], "1000") // it runs, so it watches soon
	if err := os.WriteFile(list, []byte("0102030405060708090a0b0c0d0e0f1011121314\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return d.access.Len() == 1 })
}

// until polls until a condition holds.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatal("it never came")
		case <-tick.C:
		}
	}
}

func TestOperatorsEndpoints(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	cfg := loopback()
	cfg.Metrics.RunPrometheusEndpoint = true
	cfg.Metrics.PrometheusEndpointAddress = netip.MustParseAddrPort("127.0.0.1:0")
	cfg.Admin.Address = "unix:" + socket
	d := start(t, cfg, nil)
	announce(t, d.Addrs()[0], "1000")
	text := get(t, "http://"+d.operator[0].Addr().String()+"/metrics")
	for _, want := range []string{"spate_torrents", `spate_build_info`} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	until(t, func() bool { return AskHealthOf(t.Context(), &cfg) == nil })
}

func TestHealthOfNothing(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	cfg := config.Default()
	cfg.Network.AddressIPv4 = netip.MustParseAddrPort(ln.Addr().String())
	if err := AskHealthOf(t.Context(), &cfg); err == nil {
		t.Error("a tracker that does not run is healthy")
	}
}

func TestFailureEndsEverything(t *testing.T) {
	d, err := New(loopback(), Build{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// A server that was closed cannot run.
	d.server.Close()
	if err := d.Run(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestJSONLog(t *testing.T) {
	cfg := loopback()
	cfg.Log.Format = config.LogJSON
	var text lockedBuilder
	log := NewLog(&cfg, &text)
	log.Warn("hello", "n", 1)
	log.ToggleDebug()
	if err := log.SetLevelName("loud"); err == nil {
		t.Error("there is a level loud")
	}
	for _, want := range []string{`"level":"WARN","msg":"hello","n":1}`, `"level":"INFO","msg":"the log level changed","log_level":"debug"}`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, text.String())
		}
	}
}

func TestAdminTokenAndDebug(t *testing.T) {
	cfg := loopback()
	cfg.Admin = config.Admin{Address: "127.0.0.1:0", Token: "sesame", Debug: true}
	cfg.Metrics.Namespace = "aquatic"
	d := start(t, cfg, nil)
	at := "http://" + d.operator[0].Addr().String()
	ask := func(path, token string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		body, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply.StatusCode, string(body)
	}
	if status, _ := ask("/stats.json", ""); status != http.StatusUnauthorized {
		t.Errorf("without the token: %d", status)
	}
	announce(t, d.Addrs()[1], "1000")
	if status, body := ask("/stats.json", "sesame"); status != http.StatusOK || !strings.Contains(body, `"leechers": 1`) {
		t.Errorf("numbers: %d %s", status, body)
	}
	if status, body := ask("/debug/invariants", "sesame"); status != http.StatusOK {
		t.Errorf("invariants: %d %s", status, body)
	}
	if _, body := ask("/metrics", "sesame"); !strings.Contains(body, "\naquatic_") {
		t.Error("no metrics with aquatic's names")
	}
}

func TestReloadOfLimits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spate.toml")
	const base = "[network]\naddress_ipv4 = \"127.0.0.1:0\"\nuse_ipv6 = false\n"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(base+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var text lockedBuilder
	d := start(t, cfg, NewLog(&cfg, &text))
	write("[limits]\nexempt_sources = []\nrequests_per_second_per_ip = 1\nrequest_burst_per_ip = 1\nhead_timeout = 3\n[protocol]\nmax_peers = 7\n")
	if err := d.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`msg="a limit was changed" key=limits.exempt_sources`,
		`msg="changes of the configuration file that only a restart applies" keys="[protocol.max_peers limits.head_timeout]"`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, text.String())
		}
	}
	write("[limits]\nrequests_per_second_per_ip = -1\n")
	if err := d.Reload(); err == nil || !strings.Contains(text.String(), "the configuration file was not reloaded") {
		t.Errorf("a broken file: %v", err)
	}
	// A FIFO that nobody writes into must not keep the reload, and a stop, waiting.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Reload(); err == nil || !strings.Contains(err.Error(), "cannot be read: not a regular file") {
		t.Errorf("a FIFO: %v", err)
	}
}
