package admin

import (
	"io"
	"net/http"
	"net/http/pprof"
	"strings"
)

// handler builds the routes of what there is to show.
func (s *Server) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	if s.cfg.MetricsOnly {
		if s.src.Metrics != nil {
			mux.Handle("GET /metrics", s.src.Metrics)
		}
		return mux, nil
	}
	both := func(h *Health) bool { return h.Live() && h.Ready() }
	mux.Handle("GET /health", s.serveHealth(both))
	mux.Handle("GET /health/live", s.serveHealth((*Health).Live))
	mux.Handle("GET /health/ready", s.serveHealth((*Health).Ready))

	private := func(pattern string, h http.Handler) { mux.Handle(pattern, s.guard.protect(finish(h))) }
	if s.src.Metrics != nil {
		private("GET /metrics", s.src.Metrics)
	}
	if s.src.Stats != nil {
		private("GET /stats.json", http.HandlerFunc(s.serveStats))
		private("GET /history.json", http.HandlerFunc(s.serveHistory))
		page, err := newPage()
		if err != nil {
			return nil, err
		}
		mux.Handle("GET /{$}", page)
	}
	if s.src.LogLevel != nil {
		private("GET /log-level", http.HandlerFunc(s.serveLogLevel))
	}
	if s.src.SetLogLevel != nil {
		change := s.guard.protect(http.HandlerFunc(s.changeLogLevel))
		mux.Handle("PUT /log-level", change)
		mux.Handle("POST /log-level", change)
	}
	if s.cfg.Debug {
		s.debugRoutes(func(pattern string, h http.Handler) { private(pattern, ownPages(h)) })
	}
	// A stranger's page in the operator's browser must not change anything.
	var origin http.CrossOriginProtection
	return s.guard.checkHost(harden(origin.Handler(mux))), nil
}

// debugRoutes are what an engineer needs, and what costs.
func (s *Server) debugRoutes(private func(pattern string, h http.Handler)) {
	private("GET /debug/pprof/", http.HandlerFunc(pprof.Index))
	private("GET /debug/pprof/cmdline", http.HandlerFunc(pprof.Cmdline))
	private("GET /debug/pprof/profile", http.HandlerFunc(pprof.Profile))
	private("GET /debug/pprof/symbol", http.HandlerFunc(pprof.Symbol))
	private("GET /debug/pprof/trace", http.HandlerFunc(pprof.Trace))
	if s.src.Invariants != nil {
		private("GET /debug/invariants", http.HandlerFunc(s.serveInvariants))
	}
}

// harden sets the headers that keep browsers from doing more with an answer
// than showing it.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

func (s *Server) serveLogLevel(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, s.src.LogLevel())
}

// maxLevelBytes is more than the name of a level has.
const maxLevelBytes = 64

// changeLogLevel takes the level's name as the request's body.
func (s *Server) changeLogLevel(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevelBytes))
	if err != nil {
		writeText(w, http.StatusBadRequest, "the body has to be the name of a log level, such as debug")
		return
	}
	level := strings.ToLower(strings.TrimSpace(string(body)))
	if err := s.src.SetLogLevel(level); err != nil {
		writeText(w, http.StatusBadRequest, err.Error())
		return
	}
	writeText(w, http.StatusOK, level)
}

// serveInvariants checks the store, one check at a time: it holds the store's
// locks, if each only briefly.
func (s *Server) serveInvariants(w http.ResponseWriter, _ *http.Request) {
	if !s.checking.TryLock() {
		writeText(w, http.StatusTooManyRequests, "a check is under way")
		return
	}
	defer s.checking.Unlock()
	if err := s.src.Invariants(); err != nil {
		writeText(w, http.StatusInternalServerError, err.Error())
		return
	}
	writeText(w, http.StatusOK, "ok")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // a client that has gone is no problem of ours
}
