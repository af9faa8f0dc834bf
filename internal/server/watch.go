package server

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	// watchEvery is how often a server looks at itself.
	watchEvery = 5 * time.Second
	// sayEvery is how often it says the same in the log at most, once for all that
	// has happened since, however much that was.
	sayEvery = time.Minute
	// reclaimFrom is how many bytes less connections have to hold for memory to
	// be given back to the system.
	reclaimFrom = 4 << 20
)

// A watch logs what proxies do wrong, which an operator must know and can change. What
// limits refuse is in Stats, for others to log.
type watch struct {
	s *Server

	noClient, proxyHeader said
	lent                  int64 // bytes, the most since memory was last given back
}

// said is what was last said of a counter that grows.
type said struct {
	count uint64
	at    time.Time
}

// grown returns by how much the counter has grown since that was last said, 0
// when it is too early to say it again.
func (s *said) grown(count uint64, now time.Time) (by uint64) {
	if by = count - s.count; by == 0 || now.Sub(s.at) < sayEvery {
		return 0
	}
	s.count, s.at = count, now
	return by
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
			if w.freed(s.budget.Lent()) {
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return
		}
	}
}

// look compares the counters with what was last said of them, and the
// certificates with their files.
func (w *watch) look(now time.Time) {
	if w.s.tls != nil {
		w.s.tls.look(now)
	}
	var noClient, proxyHeader uint64
	for _, c := range w.s.workers {
		noClient += c.requests[0][outcomeNoClient].Load() + c.requests[1][outcomeNoClient].Load()
		proxyHeader += c.ended[endProxyHeader].Load()
	}
	if n := w.noClient.grown(noClient, now); n > 0 {
		w.s.log.Warn("requests through proxies did not say whom they are for and were refused: the proxy has to set the header, in the configured format",
			"requests", n, "header", w.s.rules.cfg.ClientHeader)
	}
	if n := w.proxyHeader.grown(proxyHeader, now); n > 0 {
		w.s.log.Warn("connections without a good PROXY protocol header, or not from a trusted proxy, were closed: the proxy has to send it, and trusted_proxies has to name the proxy",
			"connections", n)
	}
}

// freed says that connections hold much less than they did. The garbage
// collector would not run for that: nothing is allocated any more when a crowd
// of slow clients has gone, and it took their heads for live when it last ran.
func (w *watch) freed(lent int64) bool {
	w.lent = max(w.lent, lent)
	if w.lent-lent < max(reclaimFrom, w.lent/2) {
		return false
	}
	w.lent = lent
	return true
}
