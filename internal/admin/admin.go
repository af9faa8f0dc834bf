// Package admin is the operator's own listener, apart from the tracker's:
// metrics, health, numbers as JSON, a dashboard, the log level, and, behind a
// switch, profiles and the store's invariants. It imports nothing of the tracker:
// what it shows it gets from functions.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of the operator's listener: it serves a few people and scrapers, and
// must not cost the tracker descriptors when strangers find it.
const (
	maxConnections  = 128
	maxHeaderBytes  = 16 << 10
	headTimeout     = 5 * time.Second
	readTimeout     = 10 * time.Second
	writeTimeout    = 30 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 2 * time.Second
)

// Sources are what the listener shows and does. All are called from several
// goroutines at once. What is nil is not served.
type Sources struct {
	// Metrics answers /metrics.
	Metrics http.Handler
	// Health says how the tracker is; it must not block. Nil is always ready.
	Health func() Health
	// Stats returns the tracker's numbers; it must be cheap.
	Stats func() Stats
	// LogLevel returns the level at which is logged, SetLogLevel changes it
	// and logs that; its error is shown to the operator.
	LogLevel    func() string
	SetLogLevel func(level string) error
	// Invariants checks the store, however long it takes.
	Invariants func() error
}

// Server is the operator's listener.
type Server struct {
	cfg      Config
	src      Sources
	log      *slog.Logger
	listener net.Listener
	guard    *guard
	history  history
	resident *residentMemory
	checking sync.Mutex // held while the invariants are checked
}

// New checks cfg and binds its address. Nothing is served before Run; a
// chroot and a change of user may come between. A nil log is silent.
func New(cfg Config, src Sources, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l, err := listen(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", cfg.Address, err)
	}
	s := &Server{cfg: cfg, src: src, log: log, listener: l, guard: newGuard(&cfg, log)}
	s.resident = openResidentMemory()
	return s, nil
}

// Addr returns the address that is listened on, with the port that was picked.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close gives the address back. Run does it too; Close is for a Server that
// is never run.
func (s *Server) Close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, s.resident.Close())
}

// Run serves until ctx is done and then returns nil, once the answers under
// way are out or a short time is over.
func (s *Server) Run(ctx context.Context) error {
	handler, err := s.handler()
	if err != nil {
		return errors.Join(err, s.Close())
	}
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       withConn,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	// Cancelled when serving ends by itself, too, so that no goroutine stays.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var background sync.WaitGroup
	if s.src.Stats != nil && !s.cfg.MetricsOnly {
		background.Go(func() { s.sample(ctx) })
	}
	background.Go(func() {
		<-ctx.Done()
		grace, stop := context.WithTimeout(context.Background(), shutdownTimeout)
		defer stop()
		if srv.Shutdown(grace) != nil {
			// A profile or a stuck reader is still there; it has had its time.
			_ = srv.Close()
		}
	})
	err = srv.Serve(newLimitListener(s.listener, maxConnections, s.log))
	cancel()
	background.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	} else {
		err = fmt.Errorf("admin listener: %w", err)
	}
	return errors.Join(err, s.Close())
}

// sample keeps the history going until ctx is done.
func (s *Server) sample(ctx context.Context) {
	ticker := time.NewTicker(historyStep)
	defer ticker.Stop()
	s.history.add(time.Now(), s.stats())
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.history.add(now, s.stats())
		}
	}
}
