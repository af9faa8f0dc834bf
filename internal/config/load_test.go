package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"spate/internal/tomlfile"
)

// TestAquaticFile: an aquatic_http file keeps its meaning, so what it does not
// say differs from our defaults only where it says so.
func TestAquaticFile(t *testing.T) {
	got, err := Load(filepath.Join("testdata", "aquatic_http_0.9.toml"))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.SocketWorkers = 1
	want.LogLevel = LevelWarn
	want.Protocol.PeerAnnounceInterval = 120
	want.Cleaning.MaxPeerAge = 1800
	got.source = tomlfile.Source{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestAquaticVariants: values that aquatic_http takes besides its defaults.
func TestAquaticVariants(t *testing.T) {
	for _, line := range []string{
		`log_level = "off"`, `log_level = "trace"`,
		`access_list.mode = "allow"`, `access_list.mode = "deny"`,
		`protocol.max_peers = 500`, `protocol.max_scrape_torrents = 0`, `protocol.max_scrape_torrents = 4294967295`,
		`network.reverse_proxy_ip_header_name = ""`,
		`cleaning.max_peer_age = 4294967295`,
		`network.address_ipv6 = "[::1%1]:0"`,
		`metrics.prometheus_endpoint_address = "[::]:9000"`,
	} {
		if _, err := Parse("a.toml", []byte(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestEveryValueArrives(t *testing.T) {
	const text = `
socket_workers = 0x10
[network]
trusted_proxies = [
  "198.51.100.1", # a comment
  "2001:db8::/32",
]
[protocol]
max_memory = 0x6000_0000
max_torrents = 1_000_000
[[listeners]]
address = "unix:/run/spate/http.sock"
mode = "0600"
[[listeners]]
address = "[2001:db8::1]:443"
proxy = "proxy_protocol"
tls = true
[[tls.certificates]]
certificate_path = "a.pem"
[tls.acme]
domains = [
  "tracker.example.org", # a comment
  "xn--trcker-bua.example",
]
ca = "https://ca.example/dir"
storage = "acme"
challenge = "tls-alpn-01"
[admin]
address = "127.0.0.1:3001"
token = "secret\"word"
`
	c, err := Parse("spate.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.SocketWorkers = 16
	want.Network.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32"), netip.MustParsePrefix("2001:db8::/32")}
	want.Protocol.MaxMemory, want.Protocol.MaxTorrents = Memory{Bytes: 3 << 29}, 1_000_000
	want.Listeners = []Listener{
		{Address: "unix:/run/spate/http.sock", Proxy: ProxyNone, Mode: 0o600},
		{Address: "[2001:db8::1]:443", TLS: true, Proxy: ProxyProtocol, Mode: 0o660},
	}
	want.TLS.Certificates = []Certificate{{CertificatePath: "a.pem"}}
	want.TLS.ACME = ACME{
		Domains: []string{"tracker.example.org", "xn--trcker-bua.example"},
		CA:      "https://ca.example/dir", Storage: "acme", Challenge: ChallengeTLSALPN,
	}
	want.Admin.Address, want.Admin.Token = "127.0.0.1:3001", `secret"word`
	where := c.source
	c.source = tomlfile.Source{}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	c.source = where
	if !c.IsSet("listeners[1].proxy") || c.IsSet("listeners[0].proxy") || !c.IsSet("admin.token") {
		t.Error("IsSet does not know which keys the file has")
	}

	// What is printed loads back, but for the secret.
	var b strings.Builder
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "secret") {
		t.Error("the admin token was printed")
	}
	printed := strings.Replace(b.String(), strconv.Quote(tomlfile.NotShown), tomlfile.PrintValue(reflect.ValueOf(c.Admin.Token)), 1)
	again, err := Parse("spate.toml", []byte(printed))
	if err != nil {
		t.Fatal(err)
	}
	again.source, c.source = tomlfile.Source{}, tomlfile.Source{}
	if !reflect.DeepEqual(again, c) {
		t.Errorf("printed\n%s\nwhich loads as %+v", b.String(), again)
	}
}

// TestProblems compares the whole message for each broken file in testdata/bad:
// the file, a line of dashes, and the message.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "bad", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no broken files to try: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text, want, found := strings.Cut(string(data), "----\n")
			if !found {
				t.Fatal("no line of dashes")
			}
			c, err := Parse("spate.toml", []byte(text))
			if err == nil {
				t.Fatal("it loads")
			}
			if got := err.Error() + "\n"; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if !reflect.DeepEqual(c, Config{}) {
				t.Error("a refused file leaves values behind")
			}
		})
	}
}

func TestUnreadableFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"))
	if err == nil || !strings.HasSuffix(err.Error(), "none.toml: cannot be read: no such file or directory") {
		t.Errorf("got %v", err)
	}
}

func TestNothingGivenIsTheDefault(t *testing.T) {
	c, err := Parse("spate.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.source = tomlfile.Source{}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("got %+v", c)
	}
}

func FuzzParse(f *testing.F) {
	var b strings.Builder
	if err := WriteDefault(&b); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(b.String()))
	f.Add([]byte("[[listeners]]\naddress = 1\n[listeners.x]\n[network]\nuse_ipv4.x = {a = 1}\n"))
	f.Add([]byte("network = {use_ipv4 = true}\nlisteners = [{address = \"a\"}, 3]\ntls.certificates = 7"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("spate.toml", data)
		if err != nil {
			return
		}
		var b strings.Builder
		if err := c.Write(&b); err != nil {
			t.Fatal(err)
		}
		printed := strings.Replace(b.String(), strconv.Quote(tomlfile.NotShown), tomlfile.PrintValue(reflect.ValueOf(c.Admin.Token)), 1)
		again, err := Parse("spate.toml", []byte(printed))
		if err != nil {
			t.Fatalf("what was printed does not load: %v\n%s", err, b.String())
		}
		c.source, again.source, again.Admin.Token = tomlfile.Source{}, tomlfile.Source{}, c.Admin.Token
		if !reflect.DeepEqual(again, c) {
			t.Errorf("printed\n%s\ngot %+v\nwant %+v", b.String(), again, c)
		}
	})
}
