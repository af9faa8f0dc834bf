package server

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync/atomic"
	"time"

	"spate/internal/ipaddr"
)

// Limits bounds what one address may cost before any work is done for it, and
// all connections together. An address is an IPv4 address or an IPv6 /64, the
// least that a provider gives to a customer. 0 is no limit, everywhere.
//
// The defaults are far above what an honest network behind one address needs:
// 500 clients with 100 torrents each announce 28 times a second in all, and a
// seedbox with 10,000 torrents 6 times, in bursts of some thousands when they
// start. A host that goes to their limit takes one or two hundredths of a core.
type Limits struct {
	// MaxConnections is how many connections may be open at once, over all
	// addresses, exempt ones included. Where there are as many, one that waits for a
	// request may give way to the next.
	MaxConnections int
	// AddressConnections is how many an address may have open at once.
	AddressConnections int
	// ConnectionRate is how many connections an address may open per second in
	// the long run, ConnectionBurst how many at once after a pause.
	ConnectionRate, ConnectionBurst int
	// RequestRate and RequestBurst are the same for requests, by the address of
	// the client, which is not the connection's behind a proxy. A reply counts as one
	// more for each requestBytes of its body.
	RequestRate, RequestBurst int
	// Exempt are the sources without limits of their own: trusted proxies, and
	// loopback and private networks where many clients sit on one address.
	// Unix sockets always are.
	Exempt []netip.Prefix
}

// maxLimit bounds every number, so that no product overflows.
const maxLimit = math.MaxInt32

// DefaultLimits returns the limits of a server that faces the internet. All
// connections together are bounded by the process's descriptors only.
func DefaultLimits() Limits {
	return Limits{
		AddressConnections: 1000,
		ConnectionRate:     250,
		ConnectionBurst:    5000,
		RequestRate:        250,
		RequestBurst:       5000,
		Exempt:             ipaddr.LocalPrefixes(),
	}
}

// A refusal is why a limit refused a connection or a request. The set is closed.
type refusal uint8

const (
	refusalNone           refusal = iota // within all limits
	refusalConnections                   // MaxConnections
	refusalAddress                       // AddressConnections
	refusalConnectionRate                // ConnectionRate and ConnectionBurst
	refusalRequestRate                   // RequestRate and RequestBurst
	refusalCount
)

var refusalLabels = [refusalCount]string{
	"none", "connections", "address_connections", "connection_rate", "request_rate",
}

// A limiter applies Limits. All of its methods may be called concurrently; two
// callers only wait for each other over the same few addresses, for less than
// a microsecond.
type limiter struct {
	rules atomic.Pointer[limitRules]
	table limitTable

	_       [64]byte // open is written at every accept, by every loop
	open    atomic.Int64
	_       [64]byte
	refused [refusalCount]atomic.Uint64
}

// limitRules is Limits as the limiter needs them. It never changes.
type limitRules struct {
	maxOpen     int64  // 0 is no limit
	maxAddress  uint32 // 0 is no limit
	connections rate
	requests    rate
	exempt      *ipaddr.PrefixSet
}

// newLimiter returns a limiter with an empty table, or every problem of cfg.
func newLimiter(cfg Limits) (*limiter, error) {
	l := &limiter{table: newLimitTable(limitSets)}
	if err := l.set(cfg); err != nil {
		return nil, err
	}
	return l, nil
}

// set replaces the limits. What addresses have used so far stays known; an
// AddressConnections that was 0 before counts connections from now on.
func (l *limiter) set(cfg Limits) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	exempt, err := ipaddr.NewPrefixSet(cfg.Exempt)
	if err != nil {
		return fmt.Errorf("exempt from limits: %w", err)
	}
	l.rules.Store(&limitRules{
		maxOpen:     int64(cfg.MaxConnections),
		maxAddress:  uint32(cfg.AddressConnections),
		connections: newRate(cfg.ConnectionRate, cfg.ConnectionBurst),
		requests:    newRate(cfg.RequestRate, cfg.RequestBurst),
		exempt:      exempt,
	})
	return nil
}

// validate returns every problem of the limits, joined.
func (c *Limits) validate() error {
	var errs []error
	for _, n := range []struct {
		name  string
		value int
	}{
		{"connections", c.MaxConnections},
		{"connections of an address", c.AddressConnections},
		{"connections per second", c.ConnectionRate},
		{"burst of connections", c.ConnectionBurst},
		{"requests per second", c.RequestRate},
		{"burst of requests", c.RequestBurst},
	} {
		if n.value < 0 || n.value > maxLimit {
			errs = append(errs, fmt.Errorf("the limit of %s is %d, it must lie between 0 and %d", n.name, n.value, maxLimit))
		}
	}
	return errors.Join(errs...)
}

// admit decides about a connection that was just accepted from addr; the zero
// Addr stands for a unix socket. After refusalNone, release is due when it ends;
// after anything else it is to be closed at once and was counted. now never
// runs backwards by more than the callers' clocks differ. Where only MaxConnections
// speaks against it, makeRoom may release another one; nil cannot. Whoever is over a
// limit of its own address pushes nobody out.
func (l *limiter) admit(now time.Duration, addr netip.Addr, makeRoom func()) refusal {
	r := l.rules.Load()
	open := l.open.Add(1)
	counted := (r.maxAddress > 0 || r.connections.period > 0) && addr.IsValid() && !r.exempt.Contains(addr)
	if counted {
		if why := l.table.open(now, limitKey(addr), r.maxAddress, r.connections); why != refusalNone {
			return l.refuse(why)
		}
	}
	if r.maxOpen == 0 || open <= r.maxOpen {
		return refusalNone
	}
	if makeRoom != nil {
		makeRoom()
		if l.open.Load() <= r.maxOpen {
			return refusalNone
		}
	}
	if counted && r.maxAddress > 0 {
		l.table.close(limitKey(addr))
	}
	return l.refuse(refusalConnections)
}

// refuse takes back what admit counted.
func (l *limiter) refuse(why refusal) refusal {
	l.open.Add(-1)
	l.refused[why].Add(1)
	return why
}

// release ends a connection that was admitted from addr.
func (l *limiter) release(addr netip.Addr) {
	l.open.Add(-1)
	r := l.rules.Load()
	if r.maxAddress > 0 && addr.IsValid() && !r.exempt.Contains(addr) {
		l.table.close(limitKey(addr))
	}
}

// request reports whether a request of client is within its rate, and counts it
// when it is not. now is as in admit.
func (l *limiter) request(now time.Duration, client netip.Addr) bool {
	r := l.rules.Load()
	if r.requests.period == 0 || !client.IsValid() || r.exempt.Contains(client) {
		return true
	}
	if l.table.request(now, limitKey(client), r.requests) {
		return true
	}
	l.refused[refusalRequestRate].Add(1)
	return false
}

// requestBytes is how much of a reply's body takes as much CPU time as a request:
// making and sending 16 KiB some 20 µs.
const requestBytes = 16 << 10

// charge counts a reply whose body has n bytes, beyond the request that it is for. Its
// client may have to wait for that, but has this one.
func (l *limiter) charge(now time.Duration, client netip.Addr, n int) {
	r := l.rules.Load()
	if n < requestBytes || r.requests.period == 0 || !client.IsValid() || r.exempt.Contains(client) {
		return
	}
	l.table.charge(now, limitKey(client), r.requests, n/requestBytes)
}

// refusals returns how often each limit refused since newLimiter.
func (l *limiter) refusals() []Count {
	counts := make([]Count, 0, refusalCount-1)
	for why := refusalNone + 1; why < refusalCount; why++ {
		counts = append(counts, Count{Label: refusalLabels[why], Value: l.refused[why].Load()})
	}
	return counts
}
