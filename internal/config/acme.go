package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"spate/internal/tomlfile"
)

// validateACME finds what keeps [tls.acme] from getting certificates. Without
// domains the section is off, whatever else it says.
func (c *Config) validateACME(f *tomlfile.Problems) {
	a := &c.TLS.ACME
	if len(a.Domains) == 0 {
		return
	}
	var wrong []string // with the domains, in one problem: it is one key
	for i, name := range a.Domains {
		if err := checkDomain(name); err != nil {
			wrong = append(wrong, fmt.Sprintf("%q %v", name, err))
		} else if slices.ContainsFunc(a.Domains[:i], func(s string) bool { return strings.EqualFold(s, name) }) {
			wrong = append(wrong, fmt.Sprintf("%q is there twice", name))
		}
	}
	if u, err := url.Parse(a.CA); err != nil || u.Scheme != "https" || u.Host == "" {
		f.Add("tls.acme.ca", "needs the https URL of the authority's directory, such as %q", Default().TLS.ACME.CA)
	}
	if local, host, found := strings.Cut(a.Email, "@"); a.Email != "" &&
		(!found || local == "" || host == "" || strings.ContainsAny(a.Email, " ,;:<>?%&") || strings.Contains(host, "@")) {
		f.Add("tls.acme.email", `needs one address such as "admin@example.org"`)
	}
	if a.Storage == "" {
		f.Add("tls.acme.storage", `is missing: needs a directory that outlives the process, such as "/var/lib/spate/acme"`)
	}
	plain, secure := c.listensWith()
	switch {
	case !secure:
		wrong = append(wrong, "needs a listener that speaks TLS, for which the certificates are: [network] enable_tls, or tls in a [[listeners]] table")
	case a.Challenge == ChallengeHTTP && !plain:
		f.Add("tls.acme.challenge", "needs a listener without TLS for the authority's request: add a [[listeners]] table, or use %q", ChallengeTLSALPN)
	}
	if len(wrong) > 0 {
		f.Add("tls.acme.domains", "%s", strings.Join(wrong, "; "))
	}
}

// listensWith reports whether there are listeners without and with TLS.
func (c *Config) listensWith() (plain, secure bool) {
	if n := &c.Network; n.UseIPv4 || n.UseIPv6 {
		plain, secure = !n.EnableTLS, n.EnableTLS
	}
	for i := range c.Listeners {
		plain, secure = plain || !c.Listeners[i].TLS, secure || c.Listeners[i].TLS
	}
	return plain, secure
}

// checkDomain says why an authority would not certify a name by a challenge of
// ours. The bounds are those of RFC 1123, section 2.1, and RFC 1035, section 2.3.4.
func checkDomain(name string) error {
	labels := strings.Split(name, ".")
	switch {
	case isAddress(name):
		return errors.New("is an address: needs a host name")
	case strings.Contains(name, "*"):
		return errors.New("is a wildcard, which an authority certifies over DNS only: name each host")
	case strings.HasSuffix(name, "."):
		return errors.New("needs no dot at its end")
	case strings.Contains(name, "/") || strings.Contains(name, ":"):
		return errors.New(`needs to be a host name alone, such as "tracker.example.org"`)
	case strings.ContainsFunc(name, func(r rune) bool { return r > 0x7f }):
		return errors.New(`needs its ASCII form, which starts with "xn--"`)
	case len(labels) < 2:
		return errors.New(`needs a full host name such as "tracker.example.org"`)
	case len(name) > 253 || slices.ContainsFunc(labels, func(l string) bool { return !isLabel(l) }):
		return errors.New("is no valid host name: letters, digits and hyphens, with dots between")
	}
	return nil
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

func isLabel(l string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return l != "" && len(l) <= 63 && strings.Trim(l, letters+"-") == "" && l[0] != '-' && l[len(l)-1] != '-'
}
