package server

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"spate/internal/http1"
	"spate/internal/ipaddr"
)

// rules are what all exchanges of a server share and never change, but for
// draining.
type rules struct {
	cfg     Config
	header  []byte // Config.ClientHeader
	trusted *ipaddr.PrefixSet
	limits  *limiter
	// draining is set when the server stops: each connection closes after its
	// next reply.
	draining atomic.Bool
}

// newRules prepares what exchanges share.
func newRules(cfg Config) (*rules, error) {
	trusted, err := ipaddr.NewPrefixSet(cfg.TrustedProxies)
	if err != nil {
		return nil, err
	}
	r := &rules{cfg: cfg, header: []byte(cfg.ClientHeader), trusted: trusted}
	if r.limits, err = newLimiter(r.exempting(cfg.Limits)); err != nil {
		return nil, err
	}
	return r, nil
}

// exempting returns limits that trusted proxies are exempt from. Where no
// listener stands behind a proxy, their addresses are those of clients.
func (r *rules) exempting(l Limits) Limits {
	if slices.ContainsFunc(r.cfg.Listeners, func(l Listener) bool { return l.Proxy != ProxyNone }) {
		l.Exempt = slices.Concat(l.Exempt, r.cfg.TrustedProxies)
	}
	return l
}

// open starts a connection of a listener from a source; the zero Addr stands
// for a unix socket. It is false when the listener is for trusted proxies only
// and the source is none: the driver closes the connection and counts
// endProxyHeader.
func (r *rules) open(l *Listener, source netip.Addr) (p peer, ok bool) {
	if source.IsValid() {
		source = source.Unmap().WithZone("")
	}
	p.client = source
	if l.Proxy == ProxyNone {
		return p, true
	}
	trusted := r.isProxy(source)
	if l.Proxy == ProxyProtocol {
		p.pending, p.via = true, ProxyProtocol
		return p, trusted
	}
	if trusted {
		p.via = ProxyHeader
	}
	return p, true
}

// isProxy reports whether a source may tell whom its requests are for. Whoever
// can open a unix socket may.
func (r *rules) isProxy(source netip.Addr) bool {
	return !source.IsValid() || r.trusted.Contains(source)
}

// clientOf returns whom a request is for, or the zero Addr when nothing usable
// says so.
func (r *rules) clientOf(p *peer, h *http1.Head) netip.Addr {
	if p.via != ProxyHeader {
		return p.client
	}
	client, err := http1.ClientAddr(p.client, h, r.cfg.ClientHeaderFormat, r.trusted)
	if err != nil {
		return netip.Addr{}
	}
	return client
}

// proxyHeader consumes a PROXY protocol header. The action is actionKeep when
// it is complete, or actionMore, or actionAbort.
func (p *peer) proxyHeader(in []byte) (consumed int, next action) {
	n, addr, local, err := http1.ParseProxyHeader(in)
	switch {
	case err == http1.ErrIncomplete:
		return 0, actionMore
	case err != nil:
		return 0, actionAbort
	}
	p.pending = false
	if !local {
		// Otherwise the proxy speaks for itself: a health check.
		p.client = addr.Addr()
	}
	return n, actionKeep
}
