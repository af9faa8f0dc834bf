package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"spate/internal/files"
)

const (
	// expiryNotice is how long before its end a certificate is warned about.
	expiryNotice = 14 * 24 * time.Hour
	// expiryCheck is how often it is.
	expiryCheck = 12 * time.Hour
)

// A Certificate says what a server presents, for metrics and logs.
type Certificate struct {
	Chain    string   // the file
	Names    []string // the host names and addresses that it is for
	NotAfter time.Time
}

// A CertificateError says which pair could not be loaded. New and Reload join
// one for each.
type CertificateError struct {
	Files CertificateFiles
	Err   error // names the file
}

// Error returns Err's text.
func (e *CertificateError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *CertificateError) Unwrap() error { return e.Err }

// certificates are the pairs that TLS listeners serve. The set is replaced as
// a whole when it is loaded again.
type certificates struct {
	files []CertificateFiles
	log   *slog.Logger
	set   atomic.Pointer[certificateSet]

	mu     sync.Mutex // guards what follows: one load at a time
	watch  *files.Watch
	warned time.Time // when warn was last called
}

// A certificateSet is immutable.
type certificateSet struct {
	all    []*tls.Certificate
	byName map[string][]*tls.Certificate // lower case, wildcards as they stand
}

// loadCertificates loads all pairs. The error names each file that is no good.
func loadCertificates(pairs []CertificateFiles, log *slog.Logger) (*certificates, error) {
	var paths []string
	for _, f := range pairs {
		paths = append(paths, f.Chain, f.Key)
	}
	c := &certificates{files: slices.Clone(pairs), log: log, watch: files.NewWatch(paths...)}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// reload replaces the set, or keeps it and returns what is wrong with the
// files.
func (c *certificates) reload(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		return fmt.Errorf("the certificates served so far stay: %w", err)
	}
	for _, cert := range c.list() {
		c.log.Info("certificate loaded", "file", cert.Chain, "names", cert.Names, "not_after", cert.NotAfter)
	}
	c.warn(now)
	return nil
}

// look reloads what has changed on disk, and warns from time to time of what
// expires.
func (c *certificates) look(now time.Time) {
	c.mu.Lock()
	changed := c.watch.Changed()
	if !changed && now.Sub(c.warned) >= expiryCheck {
		c.warn(now)
	}
	c.mu.Unlock()
	if changed {
		if err := c.reload(now); err != nil {
			c.log.Error("changed certificate files are not used", "err", err)
		}
	}
}

// load is reload without its log. The caller holds mu, or is the only one yet.
func (c *certificates) load() error {
	c.watch.Note()
	set := &certificateSet{byName: make(map[string][]*tls.Certificate)}
	var errs []error
	for _, f := range c.files {
		pair, err := loadPair(f)
		if err != nil {
			errs = append(errs, &CertificateError{Files: f, Err: err})
			continue
		}
		set.add(pair)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.set.Store(set)
	return nil
}

func (s *certificateSet) add(pair *tls.Certificate) {
	s.all = append(s.all, pair)
	for _, name := range namesOf(pair.Leaf) {
		name = strings.ToLower(name)
		s.byName[name] = append(s.byName[name], pair)
	}
}

func namesOf(leaf *x509.Certificate) []string {
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && leaf.Subject.CommonName != "" {
		names = append(names, leaf.Subject.CommonName)
	}
	return names
}

// choose returns the certificate for a client: one of its server name, of
// those the first whose key and signature it supports, else the first of all.
func (c *certificates) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	set := c.set.Load()
	if len(set.all) == 1 {
		return set.all[0], nil
	}
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	candidates := set.byName[name]
	if len(candidates) == 0 {
		if _, parent, ok := strings.Cut(name, "."); ok {
			candidates = set.byName["*."+parent]
		}
	}
	if len(candidates) == 0 {
		candidates = set.all
	}
	for _, pair := range candidates {
		if hello.SupportsCertificate(pair) == nil {
			return pair, nil
		}
	}
	return candidates[0], nil
}

// list describes the set.
func (c *certificates) list() []Certificate {
	set := c.set.Load()
	out := make([]Certificate, len(set.all))
	for i, pair := range set.all {
		out[i] = Certificate{Chain: c.files[i].Chain, Names: namesOf(pair.Leaf), NotAfter: pair.Leaf.NotAfter}
	}
	return out
}

// warn logs what is expired, not valid yet, or about to expire at a time. The
// caller holds mu.
func (c *certificates) warn(now time.Time) {
	c.warned = now
	for i, pair := range c.set.Load().all {
		left := pair.Leaf.NotAfter.Sub(now)
		args := []any{"file", c.files[i].Chain, "names", namesOf(pair.Leaf), "not_after", pair.Leaf.NotAfter}
		switch {
		case left <= 0:
			c.log.Warn("the certificate has expired: clients refuse it", args...)
		case now.Before(pair.Leaf.NotBefore):
			c.log.Warn("the certificate is not valid yet: clients refuse it",
				append(args, "not_before", pair.Leaf.NotBefore)...)
		case left < expiryNotice:
			c.log.Warn("the certificate expires soon", append(args, "days", int(left/(24*time.Hour)))...)
		}
	}
}

// loadPair reads a chain and its key, and checks that they belong together.
func loadPair(f CertificateFiles) (*tls.Certificate, error) {
	keyFile := f.Key
	if keyFile == "" {
		keyFile = f.Chain
	}
	chain, err := files.ReadRegular(f.Chain)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	keyBytes, err := files.ReadRegular(keyFile)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	pair := new(tls.Certificate)
	if pair.Certificate, pair.Leaf, err = parseChain(chain); err != nil {
		return nil, fmt.Errorf("certificate %s: %w", f.Chain, err)
	}
	key, err := parseKey(keyBytes)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", keyFile, err)
	}
	pair.PrivateKey = key
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(pair.Leaf.PublicKey) {
		return nil, fmt.Errorf("private key %s does not match the first certificate in %s (%s): that one must be the server's own, with its issuers after it",
			keyFile, f.Chain, pair.Leaf.Subject)
	}
	return pair, nil
}

// parseChain reads certificates in PEM, or in DER one after the other. The
// first one is the server's own.
func parseChain(data []byte) (chain [][]byte, leaf *x509.Certificate, err error) {
	rest := data
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			chain = append(chain, block.Bytes)
		}
	}
	if len(chain) == 0 {
		all, err := x509.ParseCertificates(data)
		if err != nil || len(all) == 0 {
			return nil, nil, errors.New("it holds no certificate, neither in PEM nor in DER")
		}
		for _, cert := range all {
			chain = append(chain, cert.Raw)
		}
	}
	if leaf, err = x509.ParseCertificate(chain[0]); err != nil {
		return nil, nil, err
	}
	return chain, leaf, nil
}

// parseKey reads a private key in PEM or DER: PKCS#8, SEC 1 or PKCS#1.
func parseKey(data []byte) (crypto.Signer, error) {
	der, rest := data, data
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, errors.New("it is encrypted: store it without a passphrase, readable by the tracker only")
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			der = block.Bytes
			break
		}
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		switch key := key.(type) {
		case *rsa.PrivateKey:
			return key, nil
		case *ecdsa.PrivateKey:
			return key, nil
		case ed25519.PrivateKey:
			return key, nil
		}
		return nil, fmt.Errorf("a key of type %T cannot sign for TLS", key)
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("it holds no private key in PKCS#8, SEC 1 or PKCS#1, neither in PEM nor in DER")
}
