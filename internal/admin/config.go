package admin

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

const (
	// DefaultAddress is where the operator's listener is by default: on this
	// machine only.
	DefaultAddress = "127.0.0.1:3001"

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
	// Section and Key are what the configuration file calls Address, for
	// messages. Empty is [admin] and address.
	Section, Key string
}

// Validate returns all that is wrong with c, one line each.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("[%s] %s %s", c.section(), key, fmt.Sprintf(format, args...)))
	}
	if problem := checkAddress(c.Address); problem != "" {
		wrong(c.key(), "= %q: %s", c.Address, problem)
	} else if c.Token == "" && !c.MetricsOnly && !c.isPrivate() {
		wrong("token", "is missing: %s = %q can be reached by others", c.key(), c.Address)
	}
	if strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		wrong("token", "holds other characters than visible ASCII, which no header can carry") // the token itself is not shown
	}
	if c.MetricsOnly && (c.Token != "" || c.Debug) {
		wrong(c.key(), "serves metrics only: neither token nor debug can hold for it")
	}
	return errors.Join(errs...)
}

func (c *Config) section() string {
	if c.Section == "" {
		return "admin"
	}
	return c.Section
}

func (c *Config) key() string {
	if c.Key == "" {
		return "address"
	}
	return c.Key
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
