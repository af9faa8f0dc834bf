// Package acme keeps certificates from an authority that speaks ACME (RFC 8555):
// it gets one for each configured name, stores it, and renews it in time. The proof
// that the authority asks for is shown by GetCertificate (tls-alpn-01, RFC 8737) or
// WellKnown (http-01, RFC 8555, section 8.3).
//
// The protocol's messages are golang.org/x/crypto/acme's; when to send them, and
// what to do when that fails, is decided here.
package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
)

// A Challenge is how the authority makes sure of a name.
type Challenge string

// The challenges, as the protocol names them.
const (
	ChallengeHTTP    Challenge = "http-01"
	ChallengeTLSALPN Challenge = "tls-alpn-01"
)

// ALPNProto is the protocol that a listener with TLS has to agree on for
// ChallengeTLSALPN, and on whose connections nothing follows the handshake.
const ALPNProto = acme.ALPNProto

// wellKnown is where the answers of http-01 are.
const wellKnown = "/.well-known/acme-challenge/"

// Config is what New needs.
type Config struct {
	Domains   []string // host names in ASCII, one certificate each
	Email     string   // for the authority; empty for none
	Directory string   // URL of the authority's directory
	Storage   string   // directory for keys and certificates
	Challenge Challenge
	// Owner is whom a directory is to belong to that New makes; nil is the process.
	Owner *Owner
	// Default is whether clients that ask for none of Domains get a certificate
	// too, the first that there is.
	Default bool
	// DialContext connects to the authority; nil is the usual way.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// An Owner is a user and a group, by number.
type Owner struct{ UID, GID int }

// A Manager has the certificates. Its methods may be called concurrently, and
// GetCertificate and WellKnown before Run and after it.
type Manager struct {
	cfg     Config
	log     *slog.Logger
	storage *storage
	web     *http.Client
	domains []*domain          // as in cfg
	byName  map[string]*domain // the same, in lower case

	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) (done bool)
	roll  func() float64 // from 0 to 1, for jitter

	account struct {
		sync.Mutex // guards the rest
		key        *ecdsa.PrivateKey
		stored     bool
	}
	answers struct {
		sync.RWMutex // guards the rest
		byPath       map[string][]byte
	}
}

// A domain is a name with its certificate. Only its own goroutine changes it.
type domain struct {
	name  string
	cert  atomic.Pointer[tls.Certificate] // nil until there is one; Leaf is set
	proof atomic.Pointer[tls.Certificate] // for tls-alpn-01, while the authority looks

	renewAt time.Time // of cert
	stored  bool      // cert is
	warned  time.Time // when its expiry was last warned of
}

// A Certificate says what there is, for metrics.
type Certificate struct {
	Domain   string
	NotAfter time.Time
}

// New checks the storage, and makes the directory where it is missing: its
// parent has to be there. It loads what is stored and connects to nobody. What is
// logged may repeat itself often: limiting that is up to the caller's log.
func New(cfg Config, log *slog.Logger) (*Manager, error) {
	m := &Manager{
		cfg: cfg, log: log, byName: map[string]*domain{},
		now: time.Now, sleep: sleep, roll: roll,
	}
	m.answers.byPath = map[string][]byte{}
	var err error
	if m.storage, err = openStorage(cfg.Storage, cfg.Directory, cfg.Owner); err != nil {
		return nil, err
	}
	if info, err := m.storage.dir.Stat("."); err == nil && info.Mode().Perm()&0o022 != 0 {
		log.Warn("others may write into the directory of the certificates' keys: make it 0700", "storage", cfg.Storage)
	}
	if err := m.load(); err != nil {
		m.Close()
		return nil, err
	}
	// Now, since the files may be out of reach once privileges are dropped.
	roots, err := x509.SystemCertPool()
	if err != nil || roots.Equal(x509.NewCertPool()) {
		log.Warn("this system has no root certificates (ca-certificates), so no authority will be trusted", "error", err)
	}
	m.web = &http.Client{Timeout: requestTimeout, Transport: cautious{&http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: cfg.DialContext, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: roots}, MaxResponseHeaderBytes: maxReplyHead,
	}}}
	return m, nil
}

// load takes the account's key and the certificates from the storage. Of a
// damaged certificate it only warns: another one can be had.
func (m *Manager) load() error {
	key, err := m.storage.loadAccount()
	if err != nil {
		return err
	}
	m.account.key, m.account.stored = key, key != nil
	for _, name := range m.cfg.Domains {
		d := &domain{name: strings.ToLower(name)}
		m.domains = append(m.domains, d)
		m.byName[d.name] = d
		pair, err := m.storage.loadPair(d.name)
		var bad *damagedError
		switch {
		case errors.As(err, &bad):
			m.log.Warn("a stored certificate cannot be used, another one will be asked for", "domain", d.name, "error", err)
		case err != nil:
			return err
		case pair != nil:
			d.stored = true
			m.take(d, pair)
		}
	}
	return nil
}

// take serves a certificate from now on.
func (m *Manager) take(d *domain, pair *tls.Certificate) {
	d.renewAt = renewalTime(pair.Leaf, m.roll())
	d.cert.Store(pair)
}

// Close releases the storage of a Manager that is never Run, and removes its
// directory if New has made it.
func (m *Manager) Close() { m.storage.discard() }

// Certificates returns what there is now, in the order of Config.Domains.
func (m *Manager) Certificates() (all []Certificate) {
	for _, d := range m.domains {
		if pair := d.cert.Load(); pair != nil {
			all = append(all, Certificate{d.name, pair.Leaf.NotAfter})
		}
	}
	return all
}

// errNoChallenge ends a handshake for a proof that nobody asked for.
var errNoChallenge = errors.New("no challenge is open for this name")

// GetCertificate returns the certificate for the name that a client asks for, nil
// where there is none, or the proof where an authority looks for it. It returns at
// once.
func (m *Manager) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	d := m.byName[strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))]
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == ALPNProto {
		if d != nil {
			if proof := d.proof.Load(); proof != nil {
				return proof, nil
			}
		}
		return nil, errNoChallenge
	}
	if d != nil {
		if pair := d.cert.Load(); pair != nil {
			return pair, nil
		}
	}
	if m.cfg.Default {
		for _, d := range m.domains {
			if pair := d.cert.Load(); pair != nil {
				return pair, nil
			}
		}
	}
	return nil, nil
}

// WellKnown returns the answer that the authority has to find at a path, nil
// where there is none.
func (m *Manager) WellKnown(path []byte) []byte {
	if len(path) <= len(wellKnown) || string(path[:len(wellKnown)]) != wellKnown {
		return nil
	}
	m.answers.RLock()
	defer m.answers.RUnlock()
	return m.answers.byPath[string(path)]
}

func (m *Manager) setAnswer(path string, answer []byte) {
	m.answers.Lock()
	defer m.answers.Unlock()
	if answer == nil {
		delete(m.answers.byPath, path)
		return
	}
	m.answers.byPath[path] = answer
}
