package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

// A certifier is a host with Let's Encrypt's small authority for tests, which
// looks at challenges on ports 80 and 443 of whatever it is to certify, and with
// a name server that sends it to one host for all names.
type certifier struct {
	host      *lab.Host
	directory string         // its URL
	file      string         // certificate of who certifies the directory's address
	pool      *x509.CertPool // the same
	config    string         // file
	process   *lab.Process
}

// newCertifier starts an authority whose certificates live for so many seconds.
func newCertifier(t *testing.T, host, tracker *lab.Host, life int) *certifier {
	t.Helper()
	authority := lab.NewAuthority(t)
	cert, key, _ := authority.Issue(t, host)
	c := &certifier{
		host: host, directory: fmt.Sprintf("https://%s:14000/dir", host.IPv4), file: authority.File, pool: authority.Pool,
		config: filepath.Join(t.TempDir(), "pebble.json"),
	}
	if err := os.WriteFile(c.config, fmt.Appendf(nil, `{"pebble": {
"listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000", "certificate": %q, "privateKey": %q,
"httpPort": 80, "tlsPort": 443, "keyAlgorithm": "ecdsa", "retryAfter": {"authz": 1, "order": 1},
"profiles": {"default": {"description": "short", "validityPeriod": %d}}}}`, cert, key, life), 0o600); err != nil {
		t.Fatal(err)
	}
	host.Start(t, lab.Command{
		Path: programs.nameserver, Home: t.TempDir(),
		Args: []string{
			"-dnsserver", "127.0.0.1:8053", "-defaultIPv4", tracker.IPv4.String(), "-defaultIPv6", tracker.IPv6.String(),
			"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-management", "127.0.0.1:8055",
		},
	})
	c.start(t)
	return c
}

// start starts the authority, again with nothing that it knew before: neither
// accounts nor its own key.
func (c *certifier) start(t *testing.T) {
	t.Helper()
	c.process = c.host.Start(t, lab.Command{
		Path: programs.pebble, Args: []string{"-config", c.config, "-dnsserver", "127.0.0.1:8053"}, Home: t.TempDir(),
		Env: []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20"},
	})
}

// roots returns who vouches for what the authority issues.
func (c *certifier) roots() (*x509.CertPool, error) {
	web := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: c.host.DialContext, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: c.pool},
	}}
	reply, err := web.Get(fmt.Sprintf("https://%s:15000/roots/0", c.host.IPv4))
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("no root in %q", data)
	}
	return pool, nil
}

// presented returns the certificate that a tracker shows a client of the
// authority's host for a name. Nil roots take any.
func (c *certifier) presented(tracker *lab.Host, name string, roots *x509.CertPool) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := c.host.DialContext(ctx, "tcp", netip.AddrPortFrom(tracker.IPv4, 443).String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	session := tls.Client(conn, &tls.Config{ServerName: name, RootCAs: roots, InsecureSkipVerify: roots == nil})
	if err := session.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return session.ConnectionState().PeerCertificates[0], nil
}

// trusted waits until clients that trust the authority take what the tracker
// shows for a name, other than the old certificate.
func (c *certifier) trusted(t *testing.T, tracker *lab.Host, spate *lab.Process, name string, old *x509.Certificate) (cert *x509.Certificate) {
	t.Helper()
	lab.Eventually(t, 45*time.Second, "certificate of "+name, func() error {
		roots, err := c.roots()
		if err != nil {
			return err
		}
		cert, err = c.presented(tracker, name, roots)
		if err == nil && old != nil && cert.Equal(old) {
			err = errors.New("still the old one")
		}
		return err
	}, spate, c.process)
	return cert
}

// TestACME gets certificates by each challenge, renews them, and goes through
// what may go wrong: storage that can no longer be written, an authority that is
// away and comes back without its memory.
func TestACME(t *testing.T) {
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			network := lab.NewNetwork(t)
			tracker, host := network.NewHost(t, "tracker", lab.Dual), network.NewHost(t, "ca", lab.Dual)
			c := newCertifier(t, host, tracker, 15)
			spate, storage := startWithACME(t, tracker, c, challenge)
			url := announceURL("http", tracker.IPv4, 80)
			answers(t, tracker, url, spate)

			first := c.trusted(t, tracker, spate, "one.example", nil)
			c.trusted(t, tracker, spate, "two.example", nil)
			expiryIsShown(t, tracker, "one.example", first)
			if _, err := c.presented(tracker, "elsewhere.example", nil); err != nil {
				t.Errorf("a client that asks for another name: %v", err)
			}
			stored(t, storage, 3)

			// Nobody but root may write there now, and the tracker is no longer root.
			if err := errors.Join(os.Chown(storage, 0, 0), os.Chmod(storage, 0o500)); err != nil {
				t.Fatal(err)
			}
			second := c.trusted(t, tracker, spate, "one.example", first)
			says(t, spate, "it is served from memory")

			if err := c.process.Stop(t, syscall.SIGKILL); err == nil {
				t.Error("the authority ended well")
			}
			says(t, spate, "a certificate could not be renewed, the old one is served")
			if cert, err := c.presented(tracker, "one.example", nil); err != nil {
				t.Errorf("while the authority is away: %v", err)
			} else if cert.Equal(first) {
				t.Error("the certificate before the last one is back")
			} else {
				second = cert // there may have been one more just before
			}
			if _, err := swarm.Scrape(tracker.HTTPClient(), url, [20]byte{}); err != nil {
				t.Errorf("while the authority is away: %v", err)
			}

			c.start(t)
			c.trusted(t, tracker, spate, "one.example", second)
			if strings.Contains(spate.Log(t), "PRIVATE KEY") {
				t.Error("a key was logged")
			}
			if err := spate.Stop(t, syscall.SIGTERM); err != nil {
				t.Errorf("exit after SIGTERM: %v", err)
			}
		})
	}
}

// startWithACME runs a tracker that gives up root and its view of the file
// system, and returns the directory of its certificates.
func startWithACME(t *testing.T, tracker *lab.Host, c *certifier, challenge string) (spate *lab.Process, storage string) {
	t.Helper()
	jail := t.TempDir()
	path := filepath.Join(t.TempDir(), "spate.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, `
[network]
address_ipv4 = "0.0.0.0:80"
address_ipv6 = "[::]:80"
[[listeners]]
address = "0.0.0.0:443"
tls = true
[[listeners]]
address = "[::]:443"
tls = true
[tls.acme]
domains = ["one.example", "two.example"]
email = "admin@one.example"
ca = %q
storage = "/acme"
challenge = %q
[privileges]
drop_privileges = true
chroot_path = %q
[metrics]
run_prometheus_endpoint = true
`, c.directory, challenge, jail), 0o600); err != nil {
		t.Fatal(err)
	}
	return tracker.Start(t, lab.Command{
		Path: programs.spate, Args: []string{"-c", path}, Home: t.TempDir(), Env: []string{"SSL_CERT_FILE=" + c.file},
	}), filepath.Join(jail, "acme")
}

// says waits until the log holds a text.
func says(t *testing.T, p *lab.Process, text string) {
	t.Helper()
	lab.Eventually(t, 45*time.Second, fmt.Sprintf("%q in the log", text), func() error {
		if !strings.Contains(p.Log(t), text) {
			return errors.New("it is not there")
		}
		return nil
	}, p)
}

// expiryIsShown looks for a certificate among the metrics. It may have been
// renewed since.
func expiryIsShown(t *testing.T, tracker *lab.Host, name string, cert *x509.Certificate) {
	t.Helper()
	reply, err := tracker.HTTPClient().Get("http://127.0.0.1:9000/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(body), fmt.Sprintf("\nspate_tls_certificate_expiry_timestamp_seconds{certificate=%q} ", name))
	var expiry float64
	if _, err := fmt.Sscan(rest, &expiry); !found || err != nil || int64(expiry) < cert.NotAfter.Unix() {
		t.Errorf("the expiry %v of %s is not among the metrics: %v, %v", cert.NotAfter.Unix(), name, expiry, err)
	}
}

// stored looks at the files of an account and the certificates: nobody but the
// tracker's user may read them.
func stored(t *testing.T, dir string, files int) {
	t.Helper()
	lab.Eventually(t, 45*time.Second, "stored certificates", func() error {
		found, err := filepath.Glob(filepath.Join(dir, "*.pem"))
		if err != nil || len(found) != files {
			return fmt.Errorf("%q, %v", found, err)
		}
		for path, want := range map[string]os.FileMode{dir: os.ModeDir | 0o700, found[0]: 0o600} {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			if uid := info.Sys().(*syscall.Stat_t).Uid; info.Mode() != want || uid == 0 {
				return fmt.Errorf("%s has mode %v and belongs to user %d", path, info.Mode(), uid)
			}
		}
		return nil
	})
}

// TestACMEStorage: storage that will be out of reach without root's rights is an
// error before anything is served.
func TestACMEStorage(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	jail := t.TempDir()
	if err := os.Mkdir(filepath.Join(jail, "acme"), 0o755); err != nil {
		t.Fatal(err)
	}
	spate := startSpate(t, tracker, fmt.Sprintf(`
[[listeners]]
address = "0.0.0.0:443"
tls = true
[tls.acme]
domains = ["one.example"]
ca = "https://192.0.2.1/dir"
storage = %q
[privileges]
drop_privileges = true
chroot_path = %q
`, filepath.Join(jail, "acme"), jail))
	lab.Eventually(t, 45*time.Second, "end of the tracker", func() error {
		if spate.Err() == nil {
			return errors.New("it runs")
		}
		return nil
	})
	log := spate.Log(t)
	for _, want := range []string{`spate.toml:8: [tls.acme] storage = "` + jail, "cannot make /acme/probe.tmp below " + jail, "permission denied"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}
