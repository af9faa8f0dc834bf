package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	// requestTimeout bounds one request to the authority, attemptTimeout all that
	// it takes to get a certificate, with the authority's own looking.
	requestTimeout = 30 * time.Second
	attemptTimeout = 5 * time.Minute

	// maxRenewBefore bounds the third of a certificate's life that is left when it
	// is renewed.
	maxRenewBefore = 30 * 24 * time.Hour
	// lookEvery is how long to wait at most before the clock is read again: timers
	// stand still while a machine sleeps.
	lookEvery = time.Hour
	// storeAgain is when to try to store what could not be stored.
	storeAgain = 10 * time.Minute

	// The wait after a failure doubles with each. An authority that gives no answer
	// is asked again soon, as at boot before the network is up; one that said no is
	// not: Let's Encrypt bears five failed validations of a name an hour.
	unansweredWait = 2 * time.Second
	refusedWait    = 2 * time.Minute
	maxWait        = time.Hour
	maxAskedWait   = 24 * time.Hour // that an authority may ask for

	expiryNotice = 14 * 24 * time.Hour // before its end a certificate that cannot be renewed is warned of
	expiryRepeat = 12 * time.Hour
)

// Run gets and renews the certificates until ctx is done. It may be called once.
func (m *Manager) Run(ctx context.Context) {
	m.storage.made = false // from here on it is in use
	defer m.storage.close()
	var all sync.WaitGroup
	for _, d := range m.domains {
		all.Go(func() { m.maintain(ctx, d) })
	}
	all.Wait()
}

// maintain keeps the certificate of one domain until ctx is done.
func (m *Manager) maintain(ctx context.Context, d *domain) {
	for failures := 0; ; {
		wait := m.rest(d)
		if wait == 0 {
			err := m.renew(ctx, d)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				failures = 0
				continue
			}
			failures++
			wait = backoff(failures, err, m.roll())
			m.complain(d, err, wait)
		}
		if m.sleep(ctx, wait) {
			return
		}
		if !d.stored && d.cert.Load() != nil {
			m.store(d)
		}
	}
}

// rest returns how long there is nothing to do for a domain, 0 when its
// certificate has to be had now.
func (m *Manager) rest(d *domain) time.Duration {
	if d.cert.Load() == nil {
		return 0
	}
	wait := min(d.renewAt.Sub(m.now()), lookEvery)
	if !d.stored {
		wait = min(wait, storeAgain)
	}
	return max(wait, 0)
}

// errDueAlready: to ask on and on would use up what the authority grants in a week.
var errDueAlready = errors.New("the certificate is there, but is to be renewed already")

// renew gets a certificate, serves it and stores it.
func (m *Manager) renew(ctx context.Context, d *domain) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	pair, err := m.obtain(ctx, d)
	if err != nil {
		return err
	}
	m.take(d, pair)
	m.log.Info("certificate obtained", "domain", d.name, "not_after", pair.Leaf.NotAfter, "issuer", pair.Leaf.Issuer.String())
	m.store(d)
	if m.rest(d) == 0 {
		return fmt.Errorf("%w: it ends at %s, and by the clock of this machine it is %s: is that right?", errDueAlready,
			pair.Leaf.NotAfter.Format(time.RFC3339), m.now().UTC().Format(time.RFC3339))
	}
	return nil
}

// store stores a domain's certificate. What cannot be stored is served all the
// same.
func (m *Manager) store(d *domain) {
	err := m.storage.savePair(d.name, d.cert.Load())
	if d.stored = err == nil; !d.stored {
		m.log.Error("a certificate cannot be stored: it is served from memory, and a restart has to ask for another one",
			"storage", m.cfg.Storage, "domain", d.name, "error", err)
	}
}

// complain logs that a certificate could not be had, and from time to time what
// that leads to.
func (m *Manager) complain(d *domain, err error, wait time.Duration) {
	log := m.log.With("domain", d.name, "authority", m.cfg.Directory)
	pair := d.cert.Load()
	if pair == nil {
		log.Error("no certificate could be obtained", "error", reason(err), "retry_in", wait.Round(time.Second).String())
		return
	}
	log.Warn("a certificate could not be renewed, the old one is served", "error", reason(err), "not_after", pair.Leaf.NotAfter,
		"retry_in", wait.Round(time.Second).String())
	now := m.now()
	left := pair.Leaf.NotAfter.Sub(now)
	if left >= expiryNotice || now.Sub(d.warned) < expiryRepeat {
		return
	}
	d.warned = now
	if left <= 0 {
		log.Warn("the certificate has expired: clients refuse it", "not_after", pair.Leaf.NotAfter)
		return
	}
	log.Warn("the certificate expires soon", "not_after", pair.Leaf.NotAfter, "days", int(left/(24*time.Hour)))
}

// renewalTime returns when a certificate is to be renewed: when a third of its
// life is left, and up to a tenth of that earlier, so that neither all domains
// nor all trackers come at once.
func renewalTime(leaf *x509.Certificate, roll float64) time.Time {
	before := min(leaf.NotAfter.Sub(leaf.NotBefore)/3, maxRenewBefore)
	return leaf.NotAfter.Add(-before - time.Duration(roll*float64(before/10)))
}

// backoff returns how long to wait after so many failures in a row, the last of
// which was err.
func backoff(failures int, err error, roll float64) time.Duration {
	base, asked := unansweredWait, time.Duration(0)
	var (
		refused *acme.Error
		failed  *acme.AuthorizationError
		order   *acme.OrderError
	)
	switch {
	case errors.As(err, &refused):
		if refused.StatusCode < 500 {
			base = refusedWait
		}
		asked, _ = acme.RateLimit(refused)
	case errors.As(err, &failed), errors.As(err, &order), errors.Is(err, errNotOffered), errors.Is(err, errWrongCertificate),
		errors.Is(err, errDueAlready):
		base = refusedWait
	}
	wait := base
	for range failures - 1 {
		if wait *= 2; wait >= maxWait {
			wait = maxWait
			break
		}
	}
	wait += time.Duration((roll - 0.5) * 0.4 * float64(wait))
	return max(wait, min(asked, maxAskedWait))
}

func roll() float64 { return rand.Float64() }

// sleep waits, and reports whether ctx is done.
func sleep(ctx context.Context, d time.Duration) (done bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return true
	case <-timer.C:
		return false
	}
}
