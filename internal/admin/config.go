package admin

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

const (
	unixPrefix     = "unix:"
	abstractPrefix = unixPrefix + "@"
)

// Config says where the operator's listener is and what it shows.
type Config struct {
	// Address is an IP address and port, or unix: and the path of a socket
	// (unix:@name for an abstract one).
	Address string
	// Token is what requests have to show, as Authorization: Bearer TOKEN. It
	// is needed where others than this machine's administrators can reach the
	// address. /health's bare state and the dashboard's page, which holds no
	// data, are given without.
	Token string
	// Debug adds /debug/pprof and /debug/invariants.
	Debug bool
	// MetricsOnly serves /metrics and nothing else, to everybody, as
	// aquatic_http's run_prometheus_endpoint does. Token and Debug have to be
	// unset.
	MetricsOnly bool
}

// Validate returns all that is wrong with c, one line each.
func (c *Config) Validate() error {
	var errs []error
	if problem := checkAddress(c.Address); problem != "" {
		errs = append(errs, fmt.Errorf("address %q: %s", c.Address, problem))
	} else if c.Token == "" && !c.MetricsOnly && !c.isPrivate() {
		errs = append(errs, fmt.Errorf("token is missing: address %q can be reached by others", c.Address))
	}
	if !isVisible(c.Token) {
		errs = append(errs, errors.New("token holds other characters than visible ASCII, which no header can carry")) // the token itself is not shown
	}
	if c.MetricsOnly && (c.Token != "" || c.Debug) {
		errs = append(errs, fmt.Errorf("address %q serves metrics only: neither token nor debug can hold for it", c.Address))
	}
	return errors.Join(errs...)
}

// isVisible reports whether s is of visible ASCII characters only.
func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// checkAddress returns what is wrong with an address, or nothing.
func checkAddress(address string) string {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		if path == "" || path == "@" {
			return "give the path of the socket after unix:"
		}
		return ""
	}
	if _, err := netip.ParseAddrPort(address); err != nil {
		return `give an IP address and port such as "127.0.0.1:3001", or "unix:/run/spate/admin.sock"`
	}
	return ""
}

// isPrivate reports whether only this machine, and of a socket in the file
// system only who may write to it, reaches the address. An abstract socket has
// no permissions, so it is open to every user.
func (c *Config) isPrivate() bool {
	if strings.HasPrefix(c.Address, unixPrefix) {
		return !strings.HasPrefix(c.Address, abstractPrefix)
	}
	return c.isLoopback()
}

func (c *Config) isLoopback() bool {
	ap, err := netip.ParseAddrPort(c.Address)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}
