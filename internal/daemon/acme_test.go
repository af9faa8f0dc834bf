package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/internal/config"
	"spate/internal/server"
)

// withACME returns a configuration with a listener of each kind, whose authority
// nobody is.
func withACME(t *testing.T) config.Config {
	t.Helper()
	// A port that was free a moment ago, so that nobody answers.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := loopback()
	cfg.Network.UseIPv6 = false
	cfg.Listeners = []config.Listener{{Address: "127.0.0.1:0", TLS: true, Proxy: config.ProxyNone, Mode: config.DefaultListener().Mode}}
	cfg.TLS.ACME = config.ACME{
		Domains: []string{"tracker.example"}, CA: "https://" + l.Addr().String() + "/dir",
		Storage: filepath.Join(t.TempDir(), "acme"), Challenge: config.ChallengeHTTP,
	}
	return cfg
}

// TestAuthorityIsAway: the tracker serves all the same, and says what is missing.
func TestAuthorityIsAway(t *testing.T) {
	var out lockedBuilder
	cfg := withACME(t)
	d := start(t, cfg, NewLog(&cfg, &out))
	announce(t, d.Addrs()[0], "7001")
	until(t, func() bool { return strings.Contains(out.String(), "no certificate could be obtained") })
	for _, want := range []string{"https://tracker.example:", "will connect to port 80 of tracker.example", "connection refused"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, out.String())
		}
	}
	conn, err := tls.Dial("tcp", d.Addrs()[1].String(), &tls.Config{ServerName: "tracker.example"})
	if err == nil {
		t.Error("a handshake without a certificate", conn.Close())
	}
	if all := d.certificates(); len(all) != 0 {
		t.Errorf("certificates %v", all)
	}
}

// TestStorageIsChecked: by New with its key, and by Check without a trace.
func TestStorageIsChecked(t *testing.T) {
	cfg := withACME(t)
	if _, err := Check(cfg, Build{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(cfg.TLS.ACME.Storage); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the check leaves %s behind: %v", cfg.TLS.ACME.Storage, err)
	}
	if err := os.WriteFile(cfg.TLS.ACME.Storage, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(cfg, Build{}, nil)
	if err == nil || !strings.Contains(err.Error(), "[tls.acme] storage") || !strings.Contains(err.Error(), cfg.TLS.ACME.Storage) ||
		strings.Count(err.Error(), "\n") != 0 {
		t.Errorf("got %v", err)
	}
}

// TestHooksOfTheChallenge: the server gets what the configured challenge needs,
// and nothing without one.
func TestHooksOfTheChallenge(t *testing.T) {
	for _, challenge := range []config.Challenge{"", config.ChallengeHTTP, config.ChallengeTLSALPN} {
		cfg := withACME(t)
		cfg.TLS.ACME.Challenge = challenge
		if challenge == "" {
			cfg.TLS.ACME.Domains = nil
		}
		d := &Daemon{cfg: cfg, limited: newLimitedLog(slog.DiscardHandler)}
		if err := d.openACME(); err != nil {
			t.Fatal(err)
		}
		var s server.Config
		d.offerACME(&s)
		if (s.GetCertificate != nil) != (challenge != "") || (s.WellKnown != nil) != (challenge == config.ChallengeHTTP) ||
			slices.Equal(s.NextProtos, []string{"acme-tls/1"}) != (challenge == config.ChallengeTLSALPN) {
			t.Errorf("%q: %+v", challenge, s)
		}
		if d.acme != nil {
			d.acme.Close()
		}
	}
}

func TestPortOfTheAuthority(t *testing.T) {
	for _, c := range []struct {
		challenge config.Challenge
		listener  config.Listener
		noted     bool
	}{
		{config.ChallengeHTTP, config.Listener{Address: "0.0.0.0:80"}, false},
		{config.ChallengeHTTP, config.Listener{Address: "0.0.0.0:80", TLS: true}, true},
		{config.ChallengeHTTP, config.Listener{Address: "unix:/run/spate/http.sock"}, true},
		{config.ChallengeTLSALPN, config.Listener{Address: "[::]:443", TLS: true}, false},
		{config.ChallengeTLSALPN, config.Listener{Address: "[::]:444", TLS: true}, true},
		{config.ChallengeTLSALPN, config.Listener{Address: "systemd:https", TLS: true}, false},
	} {
		cfg := withACME(t)
		cfg.TLS.ACME.Challenge, cfg.Listeners = c.challenge, []config.Listener{c.listener}
		if note := acmeNote(&cfg); (note != "") != c.noted {
			t.Errorf("%s with %+v: %q", c.challenge, c.listener, note)
		}
	}
}

// TestNamesAreLookedUpFromInside: at the remembered servers, one after the other.
func TestNamesAreLookedUpFromInside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("# comment\nsearch example.org\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver x\nnameserver\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := readNameservers(path); !slices.Equal(got, []string{"192.0.2.1:53", "[fe80::1%eth0]:53"}) {
		t.Errorf("servers %q", got)
	}
	if got := readNameservers(path + ".none"); got != nil {
		t.Errorf("servers %q of no file", got)
	}
	var servers []string
	var asked []<-chan bool
	for range 2 {
		l, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		came := make(chan bool, 100)
		go func() {
			var b [512]byte
			for {
				n, from, err := l.ReadFrom(b[:])
				if err != nil {
					return
				}
				came <- true
				b[2], b[3] = 0x80, 2 // SERVFAIL
				_, _ = l.WriteTo(b[:n], from)
			}
		}()
		servers, asked = append(servers, l.LocalAddr().String()), append(asked, came)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if conn, err := dialFromInside(servers)(ctx, "tcp", "ca.example:443"); err == nil {
		t.Error("connected", conn.Close())
	}
	for i, came := range asked {
		select {
		case <-came:
		default:
			t.Errorf("server %d was not asked", i)
		}
	}
}
