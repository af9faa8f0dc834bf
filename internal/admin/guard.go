package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// guard decides who may see what. It lets everybody in where there is no
// token, since the address is then out of others' reach; browsers on this
// machine are within it, though, and may run a stranger's page, so that the
// Host header has to name this machine: otherwise a name that a stranger
// points to 127.0.0.1 would make us part of his site (DNS rebinding).
type guard struct {
	token    [sha256.Size]byte // of the token; unused without one
	hasToken bool
	hostOnly bool // only Host headers that name this machine
	log      *slog.Logger

	mu      sync.Mutex // guards refused
	refused occasion   // requests with a wrong token
}

func newGuard(cfg *Config, log *slog.Logger) *guard {
	return &guard{
		token:    sha256.Sum256([]byte(cfg.Token)),
		hasToken: cfg.Token != "",
		hostOnly: cfg.Token == "" && !cfg.MetricsOnly && cfg.isLoopback(),
		log:      log,
	}
}

// allows reports whether r shows the token, or need not.
func (g *guard) allows(r *http.Request) bool {
	if !g.hasToken {
		return true
	}
	scheme, shown, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	// Hashes of one length are compared, so that the time that it takes says
	// nothing of the token, its length included.
	sum := sha256.Sum256([]byte(strings.TrimSpace(shown)))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}

// protect gives next to those who may see it.
func (g *guard) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.allows(r) {
			next.ServeHTTP(w, r)
			return
		}
		if r.Header.Get("Authorization") != "" {
			g.note(time.Now())
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="spate"`)
		http.Error(w, "this needs the token of the [admin] section: Authorization: Bearer TOKEN", http.StatusUnauthorized)
	})
}

// note logs wrong tokens, once in a while with their number.
func (g *guard) note(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n, due := g.refused.note(now); due {
		g.log.Warn("requests to the admin listener with a wrong token", "count", n)
	}
}

// checkHost refuses requests whose Host header does not name this machine,
// where that matters.
func (g *guard) checkHost(next http.Handler) http.Handler {
	if !g.hostOnly {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !namesThisMachine(r.Host) {
			http.Error(w, "without a token the admin listener answers only to localhost and 127.0.0.1: set [admin] token to give it another name", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownPages refuses what a browser asks for on behalf of another site's page (Fetch
// Metadata, Sec-Fetch-Site). Such a page cannot read an answer, but an image of it
// can ask for one that costs, over and over. Whoever is no browser sends no such
// header.
func ownPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "none", "same-origin":
			next.ServeHTTP(w, r)
		default:
			http.Error(w, "another site's page asks for this: enter the address by hand", http.StatusForbidden)
		}
	})
}

// namesThisMachine reports whether a Host header is localhost or a loopback
// address, with or without port.
func namesThisMachine(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
