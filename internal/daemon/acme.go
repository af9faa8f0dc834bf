package daemon

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"spate/internal/acme"
	"spate/internal/config"
	"spate/internal/server"
)

// acmeConfig returns the part of the configuration that is about an authority.
func acmeConfig(cfg *config.Config) acme.Config {
	a := &cfg.TLS.ACME
	return acme.Config{
		Domains: a.Domains, Email: a.Email, Directory: a.CA, Storage: a.Storage,
		Challenge: map[config.Challenge]acme.Challenge{
			config.ChallengeHTTP:    acme.ChallengeHTTP,
			config.ChallengeTLSALPN: acme.ChallengeTLSALPN,
		}[a.Challenge],
		Default: len(certificateFiles(cfg)) == 0,
	}
}

// openACME prepares what asks an authority for certificates, if any is to be
// asked. Nothing is until Run.
func (d *Daemon) openACME() error {
	if len(d.cfg.TLS.ACME.Domains) == 0 {
		return nil
	}
	cfg := acmeConfig(&d.cfg)
	if d.become != nil {
		cfg.Owner = &acme.Owner{UID: d.become.uid, GID: d.become.gid}
		cfg.DialContext = dialFromInside(readNameservers(resolvConf))
	}
	if _, err := os.Stat(cfg.Storage); d.checking && errors.Is(err, fs.ErrNotExist) {
		d.unmake = cfg.Storage
	}
	m, err := acme.New(cfg, d.limited.logger())
	if err == nil && d.become != nil {
		if err = (trial{d.become}).checkCreate(filepath.Join(cfg.Storage, "probe"+unfinished)); err != nil {
			m.Close()
		}
	}
	if err != nil {
		return d.cfg.Problem("tls.acme.storage", "%v", err)
	}
	d.acme = m
	return nil
}

// offerACME lets the server present what there is of an authority's, and show
// the authority what it looks for.
func (d *Daemon) offerACME(cfg *server.Config) {
	switch {
	case len(d.cfg.TLS.ACME.Domains) == 0:
		return
	case d.acme == nil:
		// What is wrong is known; that no certificate is there follows from it.
		cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		return
	}
	cfg.GetCertificate = d.acme.GetCertificate
	if d.cfg.TLS.ACME.Challenge == config.ChallengeTLSALPN {
		cfg.NextProtos = []string{acme.ALPNProto}
	} else {
		cfg.WellKnown = d.acme.WellKnown
	}
}

// moveStorage makes the path of the storage one that holds inside root. Whether
// it can be written there, openACME sees.
func (d *Daemon) moveStorage(root string) error {
	a := &d.cfg.TLS.ACME
	if len(a.Domains) == 0 {
		return nil
	}
	dir, err := chrooted(root, filepath.Dir(a.Storage))
	if err != nil {
		return err
	}
	a.Storage = filepath.Join(dir, filepath.Base(a.Storage))
	return nil
}

// acmeNote says which port an authority looks at that no listener has, "" where
// one has it. Something may well forward it.
func acmeNote(cfg *config.Config) string {
	a := &cfg.TLS.ACME
	if len(a.Domains) == 0 {
		return ""
	}
	port, secure, kind := uint16(80), false, "without TLS"
	if a.Challenge == config.ChallengeTLSALPN {
		port, secure, kind = 443, true, "with TLS"
	}
	n := &cfg.Network
	if n.EnableTLS == secure && (n.UseIPv4 && n.AddressIPv4.Port() == port || n.UseIPv6 && n.AddressIPv6.Port() == port) {
		return ""
	}
	for i := range cfg.Listeners {
		l := &cfg.Listeners[i]
		kind, rest, err := l.Endpoint()
		if err != nil || l.TLS != secure {
			continue
		}
		if kind == config.EndpointSystemd || kind == config.EndpointTCP && netip.MustParseAddrPort(rest).Port() == port {
			return ""
		}
	}
	return fmt.Sprintf("the certificate authority will connect to port %d of %s: no listener %s has it, so something has to forward it to one",
		port, strings.Join(a.Domains, ", "), kind)
}
