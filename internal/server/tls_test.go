package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/internal/server"
	"spate/internal/server/servertest"
)

// TestTLS runs the suite over TLS 1.3 and 1.2.
func TestTLS(t *testing.T) {
	cert := makeCert(t, ecKey(t), year, "localhost")
	files := cert.write(t, t.TempDir(), "a")
	for name, version := range map[string]uint16{"1.3": tls.VersionTLS13, "1.2": tls.VersionTLS12} {
		client := &tls.Config{
			RootCAs: pool(cert), ServerName: "localhost", MaxVersion: version,
			ClientSessionCache: tls.NewLRUClientSessionCache(4),
		}
		t.Run(name, func(t *testing.T) {
			servertest.Run(t, servertest.Carrier{
				Prepare: func(cfg *server.Config) {
					cfg.Certificates = []server.CertificateFiles{files}
					for i := range cfg.Listeners {
						cfg.Listeners[i].TLS = true
					}
				},
				Wrap: func(c net.Conn) net.Conn { return tls.Client(c, client) },
			})
		})
	}
}

// startTLS runs a server with certificates until the test ends.
func startTLS(t *testing.T, log io.Writer, files ...server.CertificateFiles) *server.Server {
	t.Helper()
	return start(t, server.Config{
		Listeners:    []server.Listener{{Network: server.NetworkTCP4, Address: "127.0.0.1:0", TLS: true}},
		KeepAlive:    true,
		Certificates: files,
	}, log)
}

// start runs a server until the test ends.
func start(t testing.TB, cfg server.Config, log io.Writer) *server.Server {
	t.Helper()
	s, err := server.New(cfg, func() server.Handler { return servertest.Handler{} }, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// handshake connects to the server's first listener.
func handshake(t *testing.T, s *server.Server, cfg *tls.Config) (*tls.Conn, error) {
	t.Helper()
	raw, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(servertest.Patience))
	c := tls.Client(raw, cfg)
	return c, c.Handshake()
}

func TestCertificateFormats(t *testing.T) {
	ec, rs := makeCert(t, ecKey(t), year, "localhost"), makeCert(t, rsaKey(t), year, "localhost")
	sec1, err := x509.MarshalECPrivateKey(ec.key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(rs.key.(*rsa.PrivateKey))
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	params := block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7})
	dir := t.TempDir()
	for name, test := range map[string]struct {
		cert       testCert
		chain, key []byte
	}{
		"PEM PKCS#8":  {ec, ec.chainPEM(), block("PRIVATE KEY", ec.pkcs8(t))},
		"PEM SEC 1":   {ec, ec.chainPEM(), append(params, block("EC PRIVATE KEY", sec1)...)},
		"PEM PKCS#1":  {rs, rs.chainPEM(), block("RSA PRIVATE KEY", pkcs1)},
		"PEM in both": {ec, append(block("PRIVATE KEY", ec.pkcs8(t)), ec.chainPEM()...), append(ec.chainPEM(), block("PRIVATE KEY", ec.pkcs8(t))...)},
		"PEM chain":   {ec, append(ec.chainPEM(), rs.chainPEM()...), block("PRIVATE KEY", ec.pkcs8(t))},
		"DER PKCS#8":  {rs, rs.leaf.Raw, rs.pkcs8(t)},
		"DER SEC 1":   {ec, ec.leaf.Raw, sec1},
		"DER PKCS#1":  {rs, append(rs.leaf.Raw[:len(rs.leaf.Raw):len(rs.leaf.Raw)], ec.leaf.Raw...), pkcs1},
	} {
		t.Run(name, func(t *testing.T) {
			s := startTLS(t, io.Discard, writePair(t, dir, strings.ReplaceAll(name, " ", ""), test.chain, test.key))
			if _, err := handshake(t, s, &tls.Config{RootCAs: pool(test.cert), ServerName: "localhost"}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBadCertificates: a server does not start with them, and the message
// names the file and the fault.
func TestBadCertificates(t *testing.T) {
	dir := t.TempDir()
	good, other := makeCert(t, ecKey(t), year, "localhost"), makeCert(t, ecKey(t), year, "localhost")
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: good.pkcs8(t)})
	for name, test := range map[string]struct {
		chain, key []byte
		want       []string
	}{
		"key of another": {other.chainPEM(), keyPEM, []string{"x.key", "does not match", "x.crt"}},
		"no certificate": {[]byte("hello"), keyPEM, []string{"x.crt", "no certificate"}},
		"no key":         {good.chainPEM(), []byte("hello"), []string{"x.key", "no private key"}},
		"encrypted key":  {good.chainPEM(), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), []string{"x.key", "encrypted"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := server.Config{
				Listeners:    []server.Listener{{Network: server.NetworkTCP4, Address: "127.0.0.1:0", TLS: true}},
				Certificates: []server.CertificateFiles{writePair(t, dir, "x", test.chain, test.key), {Chain: dir + "/missing"}},
			}
			_, err := server.New(cfg, func() server.Handler { return servertest.Handler{} }, nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.want, dir+"/missing") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	before, after := makeCert(t, ecKey(t), year, "localhost"), makeCert(t, ecKey(t), year, "localhost")
	s := startTLS(t, io.Discard, before.write(t, dir, "a"))
	serves := func(want testCert) {
		t.Helper()
		if _, err := handshake(t, s, &tls.Config{RootCAs: pool(want), ServerName: "localhost"}); err != nil {
			t.Error(err)
		}
	}
	serves(before)
	if err := os.WriteFile(dir+"/a.crt", after.chainPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "a.key does not match") {
		t.Errorf("reloading half a new pair: %v", err)
	}
	serves(before)
	after.write(t, dir, "a")
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	serves(after)
}

func TestServerNames(t *testing.T) {
	dir := t.TempDir()
	first, second := makeCert(t, ecKey(t), year, "one.test"), makeCert(t, rsaKey(t), year, "two.test", "*.three.test")
	s := startTLS(t, io.Discard, first.write(t, dir, "a"), second.write(t, dir, "b"))
	for name, want := range map[string]testCert{
		"one.test": first, "TWO.test": second, "x.three.test": second, "other.test": first, "": first,
	} {
		c, err := handshake(t, s, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := c.ConnectionState().PeerCertificates[0]; !got.Equal(want.leaf) {
			t.Errorf("%q is served %v", name, got.DNSNames)
		}
	}
}

func TestExpiryWarning(t *testing.T) {
	dir := t.TempDir()
	var log safeBuffer
	soon := makeCert(t, ecKey(t), 10*24*time.Hour+time.Hour, "soon.test")
	past := makeCert(t, ecKey(t), -time.Hour, "past.test")
	fine := makeCert(t, ecKey(t), year, "fine.test")
	s := startTLS(t, &log, soon.write(t, dir, "soon"), past.write(t, dir, "past"), fine.write(t, dir, "fine"))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"expires soon", "days=10", "soon.crt", "has expired", "past.crt"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "fine.crt") {
		t.Errorf("a good certificate is warned about:\n%s", log.String())
	}
	if list := s.Certificates(); len(list) != 3 || !list[0].NotAfter.Equal(soon.leaf.NotAfter) || list[0].Names[0] != "soon.test" {
		t.Errorf("Certificates returns %+v", list)
	}
}

func TestALPN(t *testing.T) {
	cert := makeCert(t, ecKey(t), year, "localhost")
	s := startTLS(t, io.Discard, cert.write(t, t.TempDir(), "a"))
	for _, test := range []struct {
		offer []string
		want  string
		fails bool
	}{
		{nil, "", false},
		{[]string{"http/1.1"}, "http/1.1", false},
		{[]string{"h2", "http/1.1"}, "http/1.1", false},
		{[]string{"http/1.0"}, "http/1.0", false},
		{[]string{"h2"}, "", true},
	} {
		c, err := handshake(t, s, &tls.Config{RootCAs: pool(cert), ServerName: "localhost", NextProtos: test.offer})
		if (err != nil) != test.fails {
			t.Errorf("offering %v: %v", test.offer, err)
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != test.want {
			t.Errorf("offering %v: %q was chosen, want %q", test.offer, got, test.want)
		}
	}
}

// TestHandshakeFailures: each is counted under its reason.
func TestHandshakeFailures(t *testing.T) {
	cert := makeCert(t, ecKey(t), year, "localhost")
	s := startTLS(t, io.Discard, cert.write(t, t.TempDir(), "a"))
	base := &tls.Config{RootCAs: pool(cert), ServerName: "localhost"}
	with := func(change func(*tls.Config)) func() {
		return func() {
			cfg := base.Clone()
			change(cfg)
			if _, err := handshake(t, s, cfg); err == nil {
				// With TLS 1.3 the client may finish before it is refused.
				t.Log("the client took it for a success")
			}
		}
	}
	raw := func(text string) func() {
		return func() {
			c, err := net.Dial("tcp", s.Addrs()[0].String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, text)
			_ = c.(*net.TCPConn).CloseWrite()
			got, _ := io.ReadAll(c)
			if wants := strings.HasPrefix(text, "GET"); wants != bytes.HasPrefix(got, []byte("HTTP/1.1 400 ")) {
				t.Errorf("%q was answered %q", text, got)
			}
		}
	}
	for reason, do := range map[string]func(){
		"version":  with(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }),
		"protocol": with(func(c *tls.Config) { c.NextProtos = []string{"h2"} }),
		"cipher": with(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}
		}),
		"certificate_refused": with(func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }),
		"plain_http":          raw("GET /announce HTTP/1.1\r\n\r\n"),
		"not_tls":             raw("\x13BitTorrent protocol"),
		"closed":              raw("\x16\x03\x01"),
	} {
		t.Run(reason, func(t *testing.T) {
			do()
			server.Await(t, reason, func() bool {
				for _, c := range s.Stats().Handshakes {
					if c.Label == reason {
						return c.Value == 1
					}
				}
				return false
			})
		})
	}
}

func TestResumption(t *testing.T) {
	cert := makeCert(t, ecKey(t), year, "localhost")
	for name, version := range map[string]uint16{"1.3": tls.VersionTLS13, "1.2": tls.VersionTLS12} {
		t.Run(name, func(t *testing.T) {
			s := startTLS(t, io.Discard, cert.write(t, t.TempDir(), "a"))
			cfg := &tls.Config{RootCAs: pool(cert), ServerName: "localhost", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			for i := range 3 {
				c, err := handshake(t, s, cfg)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(c, "GET /announce HTTP/1.0\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadAll(c); err != nil {
					t.Fatal(err)
				}
				if resumed := c.ConnectionState().DidResume; resumed != (i > 0) {
					t.Errorf("connection %d: resumed is %v", i, resumed)
				}
			}
			if got := s.Stats().Resumed; got != 2 {
				t.Errorf("%d handshakes counted as resumed, want 2", got)
			}
		})
	}
}

// TestGetCertificate: a hook's certificates come first, and the protocols that
// are only its own end with the handshake (TLS-ALPN-01, RFC 8737).
func TestGetCertificate(t *testing.T) {
	cert, challenge := makeCert(t, ecKey(t), year, "localhost"), makeCert(t, ecKey(t), year, "challenge")
	s := start(t, server.Config{
		Listeners:    []server.Listener{{Network: server.NetworkTCP4, Address: "127.0.0.1:0", TLS: true}},
		Certificates: []server.CertificateFiles{cert.write(t, t.TempDir(), "a")},
		NextProtos:   []string{"acme-tls/1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName != "challenge" {
				return nil, nil
			}
			return &tls.Certificate{Certificate: [][]byte{challenge.leaf.Raw}, PrivateKey: challenge.key}, nil
		},
	}, io.Discard)
	c, err := handshake(t, s, &tls.Config{RootCAs: pool(challenge), ServerName: "challenge", NextProtos: []string{"acme-tls/1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); len(got) > 0 || err != nil || c.ConnectionState().NegotiatedProtocol != "acme-tls/1" {
		t.Errorf("after the handshake, read %q (%v)", got, err)
	}
	if _, err := handshake(t, s, &tls.Config{RootCAs: pool(cert), ServerName: "localhost"}); err != nil {
		t.Error(err)
	}
}

// TestTLSBehindProxyProtocol: the PROXY header comes before the handshake.
func TestTLSBehindProxyProtocol(t *testing.T) {
	cert := makeCert(t, ecKey(t), year, "localhost")
	s := start(t, server.Config{
		Listeners:      []server.Listener{{Network: server.NetworkTCP4, Address: "127.0.0.1:0", TLS: true, Proxy: server.ProxyProtocol}},
		Certificates:   []server.CertificateFiles{cert.write(t, t.TempDir(), "a")},
		TrustedProxies: prefixes("127.0.0.0/8"),
	}, io.Discard)
	raw, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, b := range []byte("PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n") {
		if _, err := raw.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	c := tls.Client(raw, &tls.Config{RootCAs: pool(cert), ServerName: "localhost"})
	if _, err := io.WriteString(c, "GET /announce HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || !bytes.HasSuffix(got, []byte("192.0.2.7 /announce?")) {
		t.Errorf("read %q (%v)", got, err)
	}
}

// A safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func prefixes(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}
