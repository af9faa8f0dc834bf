package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const name = "tracker.example"

// A run is a Manager whose waiting the test ends.
type run struct {
	*Manager
	t     *testing.T
	a     *authority
	log   lockedBuffer
	waits chan time.Duration // it begins to wait
	wake  chan struct{}      // and ends

	mu   sync.Mutex // guards what follows
	time time.Time
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRun(t *testing.T, a *authority, cfg Config) (*run, error) {
	t.Helper()
	cfg.Domains, cfg.Directory, cfg.Challenge = []string{"Tracker.example"}, a.URL+"/dir", Challenge(a.offer)
	r := &run{t: t, a: a, waits: make(chan time.Duration), wake: make(chan struct{}), time: a.now}
	m, err := New(cfg, slog.New(slog.NewTextHandler(&r.log, nil)))
	if err != nil {
		return nil, err
	}
	r.Manager = m
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	m.web.Transport.(cautious).TLSClientConfig.RootCAs = roots
	m.now = func() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.time }
	m.roll = func() float64 { return 0.5 }
	m.sleep = func(ctx context.Context, d time.Duration) bool {
		select {
		case <-ctx.Done():
			return true
		case r.waits <- d:
		}
		select {
		case <-ctx.Done():
			return true
		case <-r.wake:
			return false
		}
	}
	return r, nil
}

// start runs the Manager until the test ends, or stop is called.
func start(t *testing.T, a *authority, storage string) (r *run, stop func()) {
	t.Helper()
	r, err := newRun(t, a, Config{Storage: storage})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(func() {
		stop()
		if strings.Contains(r.log.String(), "PRIVATE KEY") {
			t.Error("a key was logged")
		}
		if t.Failed() {
			t.Logf("log:\n%s", r.log.String())
		}
	})
	return r, stop
}

// waiting waits until the Manager waits, and returns for how long.
func (r *run) waiting() time.Duration {
	r.t.Helper()
	select {
	case d := <-r.waits:
		return d
	case <-time.After(20 * time.Second):
		r.t.Fatalf("nothing came to rest; log:\n%s", r.log.String())
		return 0
	}
}

// advance moves the clocks and ends the Manager's wait.
func (r *run) advance(d time.Duration) {
	r.mu.Lock()
	r.time = r.time.Add(d)
	now := r.time
	r.mu.Unlock()
	r.a.set(func() { r.a.now = now })
	r.wake <- struct{}{}
}

func (r *run) serves() *tls.Certificate {
	r.t.Helper()
	pair, err := r.GetCertificate(&tls.ClientHelloInfo{ServerName: "tracker.EXAMPLE.", SupportedProtos: []string{"http/1.1"}})
	if err != nil {
		r.t.Fatal(err)
	}
	return pair
}

func (r *run) logged(text string) bool { return strings.Contains(r.log.String(), text) }

// TestIssueStoreAndRenew: a certificate is got once, found again after a
// restart, and renewed when a third of its life is left.
func TestIssueStoreAndRenew(t *testing.T) {
	a := newAuthority(t, "http-01")
	storage := filepath.Join(t.TempDir(), "acme")
	r, stop := start(t, a, storage)
	a.set(func() {
		a.stale = 2
		a.look = func(token string) error {
			answer := r.WellKnown([]byte(wellKnown + token))
			if !bytes.HasPrefix(answer, []byte(token+".")) {
				return fmt.Errorf("found %q", answer)
			}
			return nil
		}
	})
	if d := r.waiting(); d != lookEvery {
		t.Errorf("waits %v", d)
	}
	first := r.serves()
	if first == nil || first.Leaf.VerifyHostname(name) != nil || len(first.Certificate) != 2 {
		t.Fatalf("serves %v", first)
	}
	if all := r.Certificates(); len(all) != 1 || all[0] != (Certificate{name, first.Leaf.NotAfter}) {
		t.Errorf("certificates %v", all)
	}
	if answer := r.WellKnown([]byte(wellKnown + "token1")); answer != nil {
		t.Errorf("the proof is still there: %q", answer)
	}
	stop()
	modes := map[string]fs.FileMode{}
	for _, path := range append(glob(t, filepath.Join(storage, "*")), storage) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		modes[filepath.Base(path)] = info.Mode().Perm()
	}
	if len(modes) != 3 || modes["acme"] != 0o700 {
		t.Errorf("stored %v", modes)
	}
	for file, mode := range modes {
		if file != "acme" && (mode != 0o600 || !strings.Contains(file, "@127.0.0.1-")) {
			t.Errorf("%s has mode %o", file, mode)
		}
	}

	r, _ = start(t, a, storage)
	if r.waiting(); !r.serves().Leaf.Equal(first.Leaf) || a.count() != 1 {
		t.Errorf("after a restart %d orders, and another certificate", a.count())
	}
	r.advance(60*24*time.Hour - 73*time.Hour) // chance takes up to a tenth of 30 days off
	if r.waiting(); a.count() != 1 {
		t.Errorf("%d orders before it was due", a.count())
	}
	r.advance(74 * time.Hour)
	if r.waiting(); a.count() != 2 || r.serves().Leaf.Equal(first.Leaf) {
		t.Errorf("%d orders when it was due", a.count())
	}
	if a.mu.Lock(); len(a.accounts) != 1 {
		t.Errorf("%d accounts", len(a.accounts))
	}
	a.mu.Unlock()
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestTLSALPN: the proof is shown to who asks for nothing else, while it counts.
func TestTLSALPN(t *testing.T) {
	a := newAuthority(t, "tls-alpn-01")
	r, _ := start(t, a, filepath.Join(t.TempDir(), "acme"))
	look := &tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{ALPNProto}}
	a.set(func() {
		a.look = func(string) error {
			proof, err := r.GetCertificate(look)
			if err != nil {
				return err
			}
			leaf, err := x509.ParseCertificate(proof.Certificate[0])
			if err != nil {
				return err
			}
			for _, ext := range leaf.Extensions {
				if ext.Critical && ext.Id.String() == "1.3.6.1.5.5.7.1.31" { // RFC 8737, section 6.1
					return leaf.VerifyHostname(name)
				}
			}
			return errors.New("no proof in the certificate")
		}
	})
	if r.waiting(); r.serves() == nil {
		t.Fatal("there is no certificate")
	}
	for _, hello := range []*tls.ClientHelloInfo{look, {ServerName: "other.example", SupportedProtos: look.SupportedProtos}} {
		if pair, err := r.GetCertificate(hello); pair != nil || err == nil {
			t.Errorf("%s: a proof that nobody looks for", hello.ServerName)
		}
	}
}

// TestDefault: who asks for another name gets a certificate only where nobody
// else has one.
func TestDefault(t *testing.T) {
	a := newAuthority(t, "http-01")
	r, _ := start(t, a, filepath.Join(t.TempDir(), "acme"))
	r.waiting()
	for _, server := range []string{"", "other.example"} {
		for _, byDefault := range []bool{false, true} {
			r.cfg.Default = byDefault
			if pair, err := r.GetCertificate(&tls.ClientHelloInfo{ServerName: server}); (pair != nil) != byDefault || err != nil {
				t.Errorf("%q, default %v: %v, %v", server, byDefault, pair, err)
			}
		}
	}
}

// TestAuthorityDown: the old certificate is served, the waits grow, a warning
// says when it ends, and the first answer heals it.
func TestAuthorityDown(t *testing.T) {
	a := newAuthority(t, "http-01")
	r, _ := start(t, a, filepath.Join(t.TempDir(), "acme"))
	r.waiting()
	first := r.serves()
	a.set(func() { a.down = true })
	r.advance(80 * 24 * time.Hour)
	for i, want := range []time.Duration{2, 4, 8, 16, 32} {
		if d := r.waiting(); d != want*time.Second {
			t.Errorf("after %d failures a wait of %v", i+1, d)
		}
		r.advance(0)
	}
	if r.waiting(); !r.serves().Leaf.Equal(first.Leaf) {
		t.Error("the old certificate is gone")
	}
	if n := strings.Count(r.log.String(), "expires soon"); n != 1 || !r.logged("days=10") {
		t.Errorf("%d warnings", n)
	}
	r.advance(20 * 24 * time.Hour)
	if r.waiting(); !r.logged("has expired") || r.serves() == nil {
		t.Error("no word of the expiry, or nothing is served any more")
	}
	a.set(func() { a.down = false })
	r.advance(0)
	if d := r.waiting(); d != lookEvery || r.serves().Leaf.Equal(first.Leaf) {
		t.Errorf("still the old certificate, waits %v", d)
	}
}

// TestRefusals: what the authority says is in the log, and it is not pestered.
func TestRefusals(t *testing.T) {
	refusal := func(status int, kind string) *problem {
		return &problem{Status: status, Type: "urn:ietf:params:acme:error:" + kind, Detail: "because of " + kind}
	}
	limited := refusal(429, "rateLimited")
	limited.retryAfter = "7200"
	for _, c := range []struct {
		name string
		set  func(*authority)
		want time.Duration
		says string
	}{
		{"rejected", func(a *authority) { a.refuse = refusal(400, "rejectedIdentifier") }, 2 * time.Minute, "because of rejectedIdentifier"},
		{"limited", func(a *authority) { a.refuse = limited }, 2 * time.Hour, "because of rateLimited"},
		{"overloaded", func(a *authority) { a.refuse = refusal(503, "serverInternal") }, 2 * time.Second, "because of serverInternal"},
		{"look", func(a *authority) { a.look = func(string) error { return errors.New("connection refused") } }, 2 * time.Minute, "connection refused"},
		{"offer", func(a *authority) { a.offer = "dns-01" }, 2 * time.Minute, "does not offer"},
		{"wrong", func(a *authority) { a.wrong = true }, 2 * time.Minute, "other.example"},
		{"nonces", func(a *authority) { a.stale = 100 }, 2 * time.Minute, "badNonce"},
		{"page", func(a *authority) { a.instead = page(503, "<html>"+strings.Repeat("é", 8<<20)) }, 2 * time.Second, "503 : <html>ééé"},
		{"endless", func(a *authority) { a.instead = page(200, strings.Repeat(" ", 8<<20)+"{}") }, 2 * time.Second, "larger than 1 MiB"},
		{"long head", func(a *authority) { a.instead = longHead }, 2 * time.Second, "headers exceeded"},
		{"its clock", func(a *authority) { a.now = a.now.Add(-100 * 24 * time.Hour) }, 2 * time.Minute, "is that right"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAuthority(t, "http-01")
			r, err := newRun(t, a, Config{Storage: t.TempDir(), Email: "admin@example.org"})
			if err != nil {
				t.Fatal(err)
			}
			a.set(func() { c.set(a) })
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() { defer close(ended); r.Run(ctx) }()
			if d := r.waiting(); d != c.want || !r.logged(c.says) {
				t.Errorf("waits %v; log:\n%s", d, r.log.String())
			}
			if n := len(r.log.String()); n > 2048 {
				t.Errorf("the log has %d bytes", n)
			}
			cancel()
			<-ended
		})
	}
}

func page(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // it is not read to its end
	}
}

func longHead(w http.ResponseWriter, _ *http.Request) {
	for range 1000 {
		w.Header().Add("X-Long", strings.Repeat("x", 1000))
	}
}

// TestTimesThatHavePassed: the client asks again at once, without an end, where an
// authority's clock is behind.
func TestTimesThatHavePassed(t *testing.T) {
	now := time.Now()
	for after, kept := range map[string]bool{
		"1": true, "0": false, "-1": false, "soon": false,
		now.Add(time.Hour).UTC().Format(http.TimeFormat):  true,
		now.Add(-time.Hour).UTC().Format(http.TimeFormat): false,
	} {
		a := newAuthority(t, "http-01")
		a.instead = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", after) }
		reply, err := (cautious{a.Client().Transport.(*http.Transport)}).RoundTrip(httptest.NewRequest(http.MethodGet, a.URL, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := reply.Header.Get("Retry-After"); (got == after) != kept || !kept && got != "" {
			t.Errorf("of %q the client sees %q", after, got)
		}
		reply.Body.Close()
	}
}

// TestBackoff: the waits double up to an hour, with up to a fifth more or less.
func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		failures int
		err      error
		roll     float64
		want     time.Duration
	}{
		{1, unanswered(), 0.5, 2 * time.Second},
		{1, unanswered(), 0, 1600 * time.Millisecond},
		{1, unanswered(), 1, 2400 * time.Millisecond},
		{11, unanswered(), 0.5, 2048 * time.Second},
		{1000, unanswered(), 0.5, time.Hour},
		{5, errNotOffered, 0.5, 32 * time.Minute},
		{6, errNotOffered, 0.5, time.Hour},
	} {
		if got := backoff(c.failures, c.err, c.roll); got != c.want {
			t.Errorf("%d failures with %v, roll %v: %v, want %v", c.failures, c.err, c.roll, got, c.want)
		}
	}
}

func unanswered() error { return fmt.Errorf("order: %w", fs.ErrClosed) }

// TestKeysAreForUsOnly: a file that others left under the name of one to come does
// not make the key readable.
func TestKeysAreForUsOnly(t *testing.T) {
	dir := t.TempDir()
	s, err := openStorage(dir, "https://authority.example/dir", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	left := filepath.Join(dir, s.accountFile()+unfinished)
	if err := os.WriteFile(left, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	theirs, err := os.Open(left)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.saveAccount(key); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, s.accountFile())); err != nil || info.Mode().Perm() != fileMode {
		t.Errorf("the key's file is %v (%v)", info, err)
	}
	if info, err := theirs.Stat(); err != nil || info.Size() > 0 {
		t.Errorf("the key went into the file that was there: %v (%v)", info, err)
	}
}

// TestStorageFailsLater: what cannot be stored is served, said, and stored when
// that works again.
func TestStorageFailsLater(t *testing.T) {
	a := newAuthority(t, "http-01")
	storage := filepath.Join(t.TempDir(), "acme")
	r, err := newRun(t, a, Config{Storage: storage})
	if err != nil {
		t.Fatal(err)
	}
	// Root may write everywhere; but nobody can replace a directory by a file.
	for _, file := range []string{r.storage.accountFile(), r.storage.pairFile(name)} {
		if err := os.MkdirAll(filepath.Join(storage, file, "in the way"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	if d := r.waiting(); d != storeAgain || r.serves() == nil {
		t.Errorf("waits %v, serves %v", d, r.serves())
	}
	if !r.logged("a certificate cannot be stored") || !r.logged("the key of the account cannot be stored") || !r.logged(storage) {
		t.Errorf("log:\n%s", r.log.String())
	}
	if err := os.RemoveAll(filepath.Join(storage, r.storage.pairFile(name))); err != nil {
		t.Fatal(err)
	}
	r.advance(storeAgain)
	if d := r.waiting(); d != lookEvery || a.count() != 1 {
		t.Errorf("waits %v after %d orders", d, a.count())
	}
	if pair, err := r.storage.loadPair(name); err != nil || !pair.Leaf.Equal(r.serves().Leaf) {
		t.Errorf("stored %v, %v", pair, err)
	}
}

// TestStorageAtStart: what cannot work is an error at once, which names the path,
// and nothing is left behind.
func TestStorageAtStart(t *testing.T) {
	a := newAuthority(t, "http-01")
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(dir, "none", "acme"), "/proc/acme", "/proc/self"} {
		if _, err := newRun(t, a, Config{Storage: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	made := filepath.Join(dir, "acme")
	r, err := newRun(t, a, Config{Storage: made, Owner: &Owner{os.Getuid(), os.Getgid()}})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := os.Stat(made); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a try leaves %s behind: %v", made, err)
	}
}

// TestDamagedFiles: a certificate is got again, an account is the operator's
// business.
func TestDamagedFiles(t *testing.T) {
	a := newAuthority(t, "http-01")
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	block, err := keyBlock(key)
	if err != nil {
		t.Fatal(err)
	}
	own := pem.EncodeToMemory(block)
	for what, content := range map[string][]byte{
		"empty": {}, "noise": []byte("noise"), "no chain": own,
		"another's name": append(bytes.Clone(own), a.sign(&key.PublicKey, []string{"other.example"}, a.now, a.now.Add(time.Hour))...),
		"another's key":  append(bytes.Clone(own), a.sign(&a.key.PublicKey, []string{name}, a.now, a.now.Add(time.Hour))...),
	} {
		storage := t.TempDir()
		r, err := newRun(t, a, Config{Storage: storage})
		if err != nil {
			t.Fatal(err)
		}
		pair, account := filepath.Join(storage, r.storage.pairFile(name)), filepath.Join(storage, r.storage.accountFile())
		r.Close()
		if err := os.WriteFile(pair, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err = newRun(t, a, Config{Storage: storage})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if r.serves() != nil || !r.logged("it is damaged") {
			t.Errorf("%s: serves %v; log: %s", what, r.serves(), r.log.String())
		}
		r.Close()
		if err := errors.Join(os.Remove(pair), syscall.Mkfifo(pair, 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := newRun(t, a, Config{Storage: storage}); err == nil || !strings.Contains(err.Error(), pair) {
			t.Errorf("a FIFO: %v", err)
		}
		if err := errors.Join(os.Remove(pair), os.WriteFile(account, []byte("noise"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := newRun(t, a, Config{Storage: storage}); err == nil || !strings.Contains(err.Error(), account) {
			t.Errorf("a damaged account: %v", err)
		}
	}
}
