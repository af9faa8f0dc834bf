package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"spate/internal/http1"
	"spate/internal/loop"
)

// Proxy says how the address of a client is found out.
type Proxy uint8

const (
	// ProxyNone takes the address that the connection comes from.
	ProxyNone Proxy = iota
	// ProxyHeader takes Config.ClientHeader when the connection comes from a
	// trusted proxy, and the source's own address otherwise.
	ProxyHeader
	// ProxyProtocol expects a PROXY protocol header, version 1 or 2, before
	// the first request, and closes the connection without one. Only trusted
	// proxies may connect.
	ProxyProtocol
)

// Driver says what carries the connections without TLS.
type Driver uint8

const (
	// DriverAuto is epoll loops on Linux and goroutines elsewhere. Connections
	// with TLS are always carried by goroutines.
	DriverAuto Driver = iota
	// DriverGoroutine is a goroutine for each connection.
	DriverGoroutine
)

// Networks of a Listener.
const (
	NetworkTCP4 = "tcp4"
	NetworkTCP6 = "tcp6"
	NetworkUnix = "unix"
	// NetworkInherited is a listening socket that was opened by whoever
	// started the process; Listener.File holds it.
	NetworkInherited = "inherited"
)

// A Listener is one way into the server.
type Listener struct {
	Name    string // in errors and logs; empty means Network and Address
	Network string // NetworkTCP4, NetworkTCP6, NetworkUnix or NetworkInherited
	// Address is host:port with a literal IP (port 0 picks one), or the path
	// of a unix socket, or "@name" for an abstract one (Linux).
	Address string
	// DualStack lets a NetworkTCP6 listener take IPv4 connections too. They
	// count as IPv4.
	DualStack bool
	// File is the listening socket of NetworkInherited. New duplicates it; the
	// caller keeps its own.
	File *os.File

	TLS   bool // needs Config.Certificates
	Proxy Proxy

	Mode  os.FileMode // of a unix socket's file; 0 leaves the umask's choice
	Owner *Owner      // of a unix socket's file; nil leaves the process's own
}

// ownsPort reports whether the server makes the socket itself, on a TCP port. An inherited
// one outlives the server, and a unix socket cannot be had twice.
func (l *Listener) ownsPort() bool { return l.Network == NetworkTCP4 || l.Network == NetworkTCP6 }

// An Owner is the user and group of a file, by number; -1 leaves one alone.
type Owner struct{ UID, GID int }

// String returns the name that errors and logs use.
func (l *Listener) String() string {
	if l.Name != "" {
		return l.Name
	}
	return l.Network + " " + l.Address
}

// A CertificateFiles names a certificate chain and its key, both PEM or DER.
// One PEM file may hold both: then Key is empty or the same path.
type CertificateFiles struct {
	Chain string
	Key   string
}

// The defaults of Config, and its bounds. DefaultMaxHeld is in bytes.
const (
	defaultBacklog         = 1024
	defaultHeadTimeout     = 10 * time.Second
	defaultWriteTimeout    = 10 * time.Second
	defaultIdleTimeout     = 180 * time.Second
	defaultShutdownTimeout = 5 * time.Second
	DefaultMaxHeld         = 256 << 20

	// maxListeners is what fits the index that a connection carries.
	maxListeners = 1 << 8
)

// Config is what New needs. A zero duration means its default.
type Config struct {
	Listeners []Listener
	Driver    Driver
	Workers   int // epoll loops, and handlers of the goroutine driver; 0 is one for each core
	Backlog   int // of each listening socket; 0 is defaultBacklog

	KeepAlive       bool          // false closes every connection after its first reply
	MaxRequests     int           // requests on one connection before it is closed; 0 is no limit
	HeadTimeout     time.Duration // for a whole request head, from its first byte; the first one from the accept, TLS handshake included
	WriteTimeout    time.Duration // for a peer to take what is being sent to it
	IdleTimeout     time.Duration // for a kept connection without a request
	ShutdownTimeout time.Duration // for Run to return after its context is done

	// Certificates are served by server name; the first one also to clients
	// whose name none of them covers.
	Certificates []CertificateFiles
	// GetCertificate, when not nil, is asked before Certificates; a nil
	// certificate without an error leaves the choice to those. NextProtos are
	// application protocols that only it serves: their connections end with
	// the handshake (TLS-ALPN-01, RFC 8737).
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	NextProtos     []string

	ClientHeader       string // name of the header that proxies set, in any letter case
	ClientHeaderFormat http1.AddrFormat
	// TrustedProxies are the sources that ClientHeader and PROXY protocol
	// headers are believed from. Unix sockets always are.
	TrustedProxies []netip.Prefix

	// IndexPage answers GET / as text/plain; empty means 404.
	IndexPage []byte
	// IndexLink is a path that IndexPage ends with, as a URL of the host that
	// the client asked for where that is known. Empty adds nothing.
	IndexLink string
	// WellKnown, when not nil, is asked for the page of a path that neither the
	// handler nor IndexPage has; nil means 404. It is called concurrently. The
	// path is valid until it returns, and the page may not change afterwards.
	WellKnown func(path []byte) []byte
	// NoClientAddress is the body, sent with status 200, for a request of a
	// trusted proxy that does not say whom it is for, but for IndexPage and the
	// pages of WellKnown.
	NoClientAddress []byte
	// RateLimited is the body, sent with status 200, for a request over its
	// address's rate.
	RateLimited []byte
	// Limits bound what one address may cost. Where a listener stands behind a
	// proxy, TrustedProxies are exempt from them.
	Limits Limits

	// MaxHeld is how many bytes of partial heads and unsent replies all
	// connections may hold together; 0 is DefaultMaxHeld. Beyond it, connections
	// that need more are closed. With TLS, ordinary heads and replies of up to
	// 8 KiB do not count: they are bounded by the number of connections.
	MaxHeld int64

	// Clock returns the monotonic time that handlers are given, counted from
	// any fixed moment. Nil counts from New.
	Clock func() time.Duration
}

// withDefaults returns the configuration with its zero values filled in.
func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.HeadTimeout, defaultHeadTimeout)
	def(&c.WriteTimeout, defaultWriteTimeout)
	def(&c.IdleTimeout, defaultIdleTimeout)
	def(&c.ShutdownTimeout, defaultShutdownTimeout)
	c.IdleTimeout = min(c.IdleTimeout, loop.MaxAhead)
	if c.Backlog == 0 {
		c.Backlog = defaultBacklog
	}
	if c.MaxHeld == 0 {
		c.MaxHeld = DefaultMaxHeld
	}
	if c.Clock == nil {
		start := time.Now()
		c.Clock = func() time.Duration { return time.Since(start) }
	}
	return c
}

// validate returns every problem of the configuration, joined.
func (c *Config) validate() error {
	var errs []error
	if len(c.Listeners) == 0 {
		errs = append(errs, errors.New("no listener is configured"))
	}
	if len(c.Listeners) > maxListeners {
		errs = append(errs, fmt.Errorf("%d listeners are configured, at most %d are possible", len(c.Listeners), maxListeners))
	}
	for i := range c.Listeners {
		errs = append(errs, c.validateListener(&c.Listeners[i])...)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"head timeout", c.HeadTimeout},
		{"write timeout", c.WriteTimeout},
		{"idle timeout", c.IdleTimeout},
		{"shutdown timeout", c.ShutdownTimeout},
	} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %v, it must not be negative", d.name, d.value))
		}
	}
	if c.Workers < 0 || c.Backlog < 0 || c.MaxRequests < 0 || c.MaxHeld < 0 {
		errs = append(errs, errors.New("workers, backlog, requests per connection and held bytes must not be negative"))
	}
	return errors.Join(errs...)
}

func (c *Config) validateListener(l *Listener) (errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("listener %s: %w", l, fmt.Errorf(format, args...)))
	}
	switch l.Network {
	case NetworkTCP4, NetworkTCP6:
		a, err := netip.ParseAddrPort(l.Address)
		switch {
		case err != nil:
			bad("%q is no address with a port: %w", l.Address, err)
		case l.Network == NetworkTCP4 && !a.Addr().Is4():
			bad("%s is no IPv4 address", a.Addr())
		case l.Network == NetworkTCP6 && (!a.Addr().Is6() || a.Addr().Is4In6()):
			bad("%s is no IPv6 address", a.Addr())
		}
	case NetworkUnix:
		if l.Address == "" {
			bad("the path of the unix socket is empty")
		}
	case NetworkInherited:
		if l.File == nil {
			bad("no socket of that name was passed to the process")
		}
	default:
		bad("unknown network %q", l.Network)
	}
	if l.TLS && len(c.Certificates) == 0 && c.GetCertificate == nil {
		bad("TLS needs a certificate and its key")
	}
	if l.Proxy == ProxyHeader && c.ClientHeader == "" {
		bad("the name of the header with the client's address is not configured")
	}
	return errs
}

// logger returns log, or one that drops everything.
func logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
