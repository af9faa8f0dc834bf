package server

import (
	"net/netip"

	"spate/internal/http1"
)

// trustedProxies are the sources that may say whom a request is for.
type trustedProxies struct{ prefixes []netip.Prefix }

// Contains says whether an unmapped address is trusted.
func (t *trustedProxies) Contains(a netip.Addr) bool {
	for _, p := range t.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// newRules prepares what exchanges share.
func newRules(cfg Config) *rules {
	return &rules{cfg: cfg, header: []byte(cfg.ClientHeader), trusted: trustedProxies{cfg.TrustedProxies}}
}

// clientOf returns whom the request of a trusted proxy is for, or the zero
// Addr when it does not say.
func (r *rules) clientOf(h *http1.Head, source netip.Addr) netip.Addr {
	return netip.Addr{}
}

// proxyHeader consumes a PROXY protocol header.
func (x *exchange) proxyHeader(p *peer, in []byte) (consumed int, next action) {
	return 0, actionAbort
}
