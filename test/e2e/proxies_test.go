package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/test/e2e/client"
	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

// docs is where the configurations are that docs/proxies.md shows.
const docs = "../../docs"

// A proxyCase is one reverse proxy in front of the tracker, on its host, with the
// files of docs/proxies for both.
type proxyCase struct {
	name    string
	spate   string // file for the tracker
	proxy   string // file for the proxy
	program string
	scheme  string
	port    uint16
}

var proxyCases = []proxyCase{
	{"nginx", "spate-header.toml", "nginx.conf", "nginx", "http", 80},
	{"nginx over a unix socket", "spate-unix.toml", "nginx-unix.conf", "nginx", "http", 80},
	{"HAProxy", "spate-header.toml", "haproxy-header.cfg", "haproxy", "http", 80},
	{"HAProxy with PROXY v1", "spate-proxy-protocol.toml", "haproxy-proxy-v1.cfg", "haproxy", "http", 80},
	{"HAProxy with PROXY v2", "spate-proxy-protocol.toml", "haproxy-proxy-v2.cfg", "haproxy", "http", 80},
	{"HAProxy over a unix socket", "spate-unix.toml", "haproxy-unix.cfg", "haproxy", "http", 80},
	{"HAProxy ends TLS", "spate-header.toml", "haproxy-tls.cfg", "haproxy", "https", 443},
	{"Apache", "spate-header.toml", "apache.conf", "apache2", "http", 80},
	{"Caddy", "spate-header.toml", "Caddyfile", "caddy", "http", 80},
}

// TestProxies sends clients of both families through each proxy: the swarm has to
// hold their own addresses and never the proxy's, whatever a client pretends.
func TestProxies(t *testing.T) {
	for _, c := range proxyCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			network := lab.NewNetwork(t)
			host := network.NewHost(t, "proxy", lab.Dual)
			authority := lab.NewAuthority(t)
			c.start(t, host, authority)

			a := network.NewHost(t, "a", lab.IPv4)
			b := network.NewHost(t, "b", lab.IPv4)
			six := network.NewHost(t, "six", lab.IPv6)
			hash := [20]byte{1: 0xff, 2: '&', 3: '=', 4: '%', 5: '+', 6: ' ', 19: 1}
			want := []netip.AddrPort{netip.AddrPortFrom(a.IPv4, 7001), netip.AddrPortFrom(b.IPv4, 7002), netip.AddrPortFrom(six.IPv6, 7003)}
			// Three passes: the later ones find the proxy's connections to the tracker
			// open, with another client's requests already carried.
			for pass := range 3 {
				for i, from := range []*lab.Host{a, b, six} {
					family := lab.IPv4
					if from == six {
						family = lab.IPv6
					}
					url := announceURL(c.scheme, host.Addr(family), c.port)
					web := trusting(from, authority)
					announce := swarm.Announce{InfoHash: hash, Port: want[i].Port(), Left: 1, Header: http.Header{
						"X-Forwarded-For": {"203.0.113.66"}, "Forwarded": {"for=203.0.113.67"}, "X-Real-Ip": {"203.0.113.68"},
					}}
					var reply swarm.Reply
					lab.Eventually(t, 45*time.Second, "announce through "+c.name, func() (err error) {
						reply, err = announce.Do(web, url)
						return err
					})
					expectPeers(t, reply, without(want[:seen(pass, i)], want[i]))
				}
			}
		})
	}
}

// seen is how many of three clients have announced once client i did in a pass.
func seen(pass, i int) int {
	if pass > 0 {
		return 3
	}
	return i + 1
}

// TestTransferThroughProxy moves a file between real clients that know only the
// proxy's address.
func TestTransferThroughProxy(t *testing.T) {
	t.Parallel()
	network := lab.NewNetwork(t)
	host := network.NewHost(t, "proxy", lab.Dual)
	proxyCases[0].start(t, host, lab.NewAuthority(t))
	url := announceURL("http", host.IPv4, 80)
	answers(t, host, url)
	kinds := client.Kinds(programs.anacrolix)
	round{network: network, tracker: host, url: url, family: lab.IPv4}.run(t, kinds[1], kinds[:3], swarm.Multi)
}

// TestProxyFilesAreDocumented: what the tests run is what an operator reads.
func TestProxyFilesAreDocumented(t *testing.T) {
	page := read(t, filepath.Join(docs, "proxies.md"))
	entries, err := os.ReadDir(filepath.Join(docs, "proxies"))
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	for _, c := range append(slices.Clone(proxyCases), userKeys) {
		used = append(used, c.spate, c.proxy)
	}
	for _, e := range entries {
		if !strings.Contains(page, read(t, filepath.Join(docs, "proxies", e.Name()))) {
			t.Errorf("docs/proxies.md does not show docs/proxies/%s as it is", e.Name())
		}
		if !slices.Contains(used, e.Name()) {
			t.Errorf("no test runs docs/proxies/%s", e.Name())
		}
	}
}

// start runs the tracker and the proxy. The documented files are used as they
// are, but for the paths of sockets and certificates.
func (c proxyCase) start(t testing.TB, host *lab.Host, authority *lab.Authority) {
	t.Helper()
	home := t.TempDir()
	_, _, both := authority.Issue(t, host)
	paths := strings.NewReplacer("/run/spate/http.sock", filepath.Join(home, "http.sock"), "/etc/haproxy/tracker.pem", both)
	place := func(name string) string {
		path := filepath.Join(home, name)
		text := paths.Replace(read(t, filepath.Join(docs, "proxies", name)))
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	spate := host.Start(t, lab.Command{Path: programs.spate, Args: []string{"-c", place(c.spate)}, Home: home})
	lab.Eventually(t, 45*time.Second, "listening tracker", func() error {
		if !strings.Contains(spate.Log(t), "listening") {
			return fmt.Errorf("log: %s", spate.Log(t))
		}
		return nil
	}, spate)

	config := place(c.proxy)
	var args []string
	switch c.program {
	case "nginx":
		args = []string{"-p", home, "-c", nginxMain(t, home, config), "-g", "daemon off;"}
	case "haproxy":
		args = []string{"-db", "-f", config}
	case "apache2":
		args = []string{"-D", "FOREGROUND", "-f", apacheMain(t, home, config)}
	case "caddy":
		args = []string{"run", "--adapter", "caddyfile", "--config", config}
	}
	proxy := host.Start(t, lab.Command{Path: c.program, Args: args, Home: home})
	addr := netip.AddrPortFrom(host.IPv4, c.port).String()
	lab.Eventually(t, 45*time.Second, "listening proxy", func() error {
		conn, err := host.DialContext(t.Context(), "tcp", addr)
		if err == nil {
			err = conn.Close()
		}
		return err
	}, proxy, spate)
}

// nginxMain writes what Debian's nginx.conf does around a file in conf.d, with
// nothing outside home.
func nginxMain(t testing.TB, home, include string) string {
	t.Helper()
	path := filepath.Join(home, "main.conf")
	text := fmt.Sprintf(`user root;
worker_processes 2;
pid %[1]s/nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	include %[2]s;
}
`, home, include)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// apacheMain writes what Debian's apache2.conf does around a site, with nothing
// outside home.
func apacheMain(t testing.TB, home, include string) string {
	t.Helper()
	path := filepath.Join(home, "main.conf")
	text := fmt.Sprintf(`ServerRoot %[1]s
ServerName proxy
PidFile %[1]s/apache.pid
ErrorLog /dev/stderr
Mutex file:%[1]s default
User nobody
Group nogroup
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
Listen 80
Include %[2]s
`, home, include)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// trusting returns a client on host that trusts the test's authority alone.
func trusting(host *lab.Host, authority *lab.Authority) *http.Client {
	web := host.HTTPClient()
	web.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: authority.Pool}
	return web
}

func expectPeers(t testing.TB, got swarm.Reply, want []netip.AddrPort) {
	t.Helper()
	peers := slices.SortedFunc(slices.Values(got.Peers), netip.AddrPort.Compare)
	want = slices.SortedFunc(slices.Values(want), netip.AddrPort.Compare)
	if !slices.Equal(peers, want) {
		t.Errorf("peers %v, want %v", peers, want)
	}
}

func without(peers []netip.AddrPort, self netip.AddrPort) []netip.AddrPort {
	return slices.DeleteFunc(slices.Clone(peers), func(p netip.AddrPort) bool { return p == self })
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
