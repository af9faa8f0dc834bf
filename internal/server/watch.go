package server

import (
	"context"
	"time"
)

// watchEvery is how often a server looks at itself. What it finds is said
// once for all that happened in between, however much that was.
const watchEvery = time.Minute

// A watch says in the log what an operator must know and can change.
type watch struct {
	s *Server
	// What was counted at the last look.
	noClient, proxyHeader uint64
}

// watch looks until ctx is done.
func (s *Server) watch(ctx context.Context) {
	w := watch{s: s}
	w.look(time.Now())
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			w.look(now)
		case <-ctx.Done():
			return
		}
	}
}

// look compares the counters with those of the last look, and the certificates
// with their files.
func (w *watch) look(now time.Time) {
	if w.s.tls != nil {
		w.s.tls.look(now)
	}
	var noClient, proxyHeader uint64
	for _, c := range w.s.workers {
		noClient += c.requests[0][outcomeNoClient].Load() + c.requests[1][outcomeNoClient].Load()
		proxyHeader += c.ended[endProxyHeader].Load()
	}
	if n := noClient - w.noClient; n > 0 {
		w.s.log.Warn("requests through proxies did not say whom they are for and were refused: the proxy has to set the header, in the configured format",
			"requests", n, "header", w.s.rules.cfg.ClientHeader)
	}
	if n := proxyHeader - w.proxyHeader; n > 0 {
		w.s.log.Warn("connections without a good PROXY protocol header, or not from a trusted proxy, were closed: the proxy has to send it, and trusted_proxies has to name the proxy",
			"connections", n)
	}
	w.noClient, w.proxyHeader = noClient, proxyHeader
}
