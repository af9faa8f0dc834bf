package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

var (
	// errNotOffered: the authority would take other proof than is configured.
	errNotOffered = errors.New("the authority does not offer the configured challenge")
	// errWrongCertificate: what the authority issued is not what was asked for.
	errWrongCertificate = errors.New("the authority issued a certificate that cannot be used")
)

// nonceRetries is how often a request is sent again at once whose nonce the
// authority no longer knows (RFC 8555, section 6.5).
const nonceRetries = 5

// obtain goes through all that an authority wants before it issues a certificate
// (RFC 8555, section 7.1).
func (m *Manager) obtain(ctx context.Context, d *domain) (*tls.Certificate, error) {
	defer m.web.CloseIdleConnections() // the next time is weeks away
	client, err := m.client(ctx)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	order, err := client.AuthorizeOrder(ctx, acme.DomainIDs(d.name))
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	for _, url := range order.AuthzURLs {
		if err := m.authorize(ctx, client, d, url); err != nil {
			return nil, fmt.Errorf("%s: %w", m.cfg.Challenge, err)
		}
	}
	if order, err = client.WaitOrder(ctx, order.URI); err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{d.name}}, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := client.CreateCertFromOrder(ctx, order, csr, true)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	pair, err := newPair(d.name, key, chain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWrongCertificate, err)
	}
	return pair, nil
}

// client returns a client with an account, which it registers each time: an
// authority that has lost its accounts then makes another one.
func (m *Manager) client(ctx context.Context) (*acme.Client, error) {
	key, err := m.accountKey()
	if err != nil {
		return nil, err
	}
	client := &acme.Client{
		Key: key, HTTPClient: m.web, DirectoryURL: m.cfg.Directory, UserAgent: "spate",
		RetryBackoff: func(n int, _ *http.Request, reply *http.Response) time.Duration {
			// Only a bad nonce is tried again at once: everything else waits in
			// maintain, where it is logged.
			if reply.StatusCode != http.StatusBadRequest || n > nonceRetries {
				return 0
			}
			return time.Millisecond
		},
	}
	account := &acme.Account{}
	if m.cfg.Email != "" {
		account.Contact = []string{"mailto:" + m.cfg.Email}
	}
	// To configure a domain is to agree, as its documentation says.
	_, err = client.Register(ctx, account, acme.AcceptTOS)
	if err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, err
	}
	return client, nil
}

// accountKey returns the key of the account, which it makes the first time.
func (m *Manager) accountKey() (*ecdsa.PrivateKey, error) {
	a := &m.account
	a.Lock()
	defer a.Unlock()
	if a.key == nil {
		key, err := newKey()
		if err != nil {
			return nil, err
		}
		a.key = key
	}
	if !a.stored {
		err := m.storage.saveAccount(a.key)
		if a.stored = err == nil; !a.stored {
			m.log.Error("the key of the account cannot be stored: a restart has to make another account",
				"storage", m.cfg.Storage, "error", err)
		}
	}
	return a.key, nil
}

// authorize proves to the authority that the domain leads here, unless an earlier
// proof still holds.
func (m *Manager) authorize(ctx context.Context, client *acme.Client, d *domain, url string) error {
	authorization, err := client.GetAuthorization(ctx, url)
	if err != nil || authorization.Status == acme.StatusValid {
		return err
	}
	var challenge *acme.Challenge
	for _, c := range authorization.Challenges {
		if c.Type == string(m.cfg.Challenge) {
			challenge = c
		}
	}
	if challenge == nil {
		return errNotOffered
	}
	withdraw, err := m.provide(client, d, challenge.Token)
	if err != nil {
		return err
	}
	defer withdraw()
	if _, err := client.Accept(ctx, challenge); err != nil {
		return err
	}
	_, err = client.WaitAuthorization(ctx, url)
	return err
}

// provide puts the proof where the authority will look, until withdraw.
func (m *Manager) provide(client *acme.Client, d *domain, token string) (withdraw func(), err error) {
	if m.cfg.Challenge == ChallengeTLSALPN {
		proof, err := client.TLSALPN01ChallengeCert(token, d.name)
		if err != nil {
			return nil, err
		}
		d.proof.Store(&proof)
		return func() { d.proof.Store(nil) }, nil
	}
	answer, err := client.HTTP01ChallengeResponse(token)
	if err != nil {
		return nil, err
	}
	path := client.HTTP01ChallengePath(token)
	m.setAnswer(path, []byte(answer))
	return func() { m.setAnswer(path, nil) }, nil
}

// newKey makes a key for an account or a certificate: ECDSA on P-256, which all
// clients with TLS 1.2 know and whose handshakes cost least.
func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// newPair makes a certificate of a chain in DER, whose first has to be for the
// name and the key.
func newPair(name string, key *ecdsa.PrivateKey, chain [][]byte) (*tls.Certificate, error) {
	if len(chain) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return nil, errors.New("it is for another key")
	}
	if err := leaf.VerifyHostname(name); err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}, nil
}
