// Package server carries HTTP requests from sockets to a Handler and replies
// back: listeners, connections, deadlines, limits, TLS and proxies. It knows
// nothing of BitTorrent.
//
// What a client sees is decided in one place, the exchange, which is a pure
// function from bytes to bytes. Drivers move the bytes: epoll loops for plain
// connections on Linux, a goroutine per connection for TLS and on other
// systems.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"spate/internal/loop"
)

// A Handler answers the requests of one worker at a time.
type Handler interface {
	// Handle appends the body of the reply to dst and returns it. Known is
	// false for a path that is none of the handler's; the server then answers
	// itself. The path and the query are as the client sent them, and are
	// valid until Handle returns. The client is the zero Addr or an address
	// that is neither IPv4-mapped nor has a zone.
	Handle(now time.Duration, client netip.Addr, path, query, dst []byte) (body []byte, known bool)
}

// A driver moves the bytes of the connections of some listening sockets.
type driver interface {
	// run accepts and serves until ctx is done, then stops: for drainTime it goes
	// on as before, but that it ignores new connections where it can and closes
	// after each answer. Then it answers what was fully received, the accept queue
	// included, closes idle connections, and returns nil within the shutdown
	// timeout.
	// An error says that it cannot go on; it has called the server's drain then,
	// and drained what it could. It closes its listening sockets.
	run(ctx context.Context) error
	// close releases what the driver holds when run was never called.
	close()
}

// A Server is bound and ready to Run.
type Server struct {
	rules      *rules
	log        *slog.Logger
	newHandler func() Handler
	sockets    []*socket
	drivers    []driver
	tls        *certificates // nil without TLS listeners

	// budget is of what the connections of all drivers hold.
	budget *loop.Budget

	// workers holds the counters of every exchange and driver. It grows only
	// within New.
	workers []*counters

	// drain lets all drivers stop, as the end of Run's context does. Run sets it;
	// a driver that fails calls it.
	drain func()

	// after is time.After, but for tests of a stop.
	after func(time.Duration) <-chan time.Time

	// started makes Run single-use.
	started sync.Once
}

// New validates cfg and binds all its listeners, or none: when one fails, it
// closes the others and returns an error that names each that failed.
// ErrNoIPv6 is in the error's tree when the machine has no IPv6.
//
// NewHandler is called once for each worker, within New. Log may be nil.
func New(cfg Config, newHandler func() Handler, log *slog.Logger) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	rules, err := newRules(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{rules: rules, log: logger(log), newHandler: newHandler, budget: loop.NewBudget(cfg.MaxHeld), after: time.After}
	if err := s.setup(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// setup loads certificates, binds the sockets and makes the drivers.
func (s *Server) setup() error {
	var errs []error
	cfg := &s.rules.cfg
	if len(cfg.Certificates) > 0 {
		var err error
		if s.tls, err = loadCertificates(cfg.Certificates, s.log); err != nil {
			errs = append(errs, err)
		}
	}
	for i := range cfg.Listeners {
		sock, err := bind(&cfg.Listeners[i], cfg.Backlog, s.reusesPorts(&cfg.Listeners[i]))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.sockets = append(s.sockets, sock)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var plain, rest []*socket
	for _, sock := range s.sockets {
		if s.loopsCarry(sock.listener) {
			plain = append(plain, sock)
		} else {
			rest = append(rest, sock)
		}
	}
	if len(plain) > 0 {
		d, err := newLoopDriver(s, plain)
		if err != nil {
			return err
		}
		s.drivers = append(s.drivers, d)
	}
	if len(rest) > 0 {
		d, err := newGoroutineDriver(s, rest)
		if err != nil {
			return err
		}
		s.drivers = append(s.drivers, d)
	}
	return nil
}

// loopsCarry says whether the epoll loops carry the connections of a listener.
func (s *Server) loopsCarry(l *Listener) bool {
	return haveLoops && s.rules.cfg.Driver == DriverAuto && !l.TLS
}

// reusesPorts says whether each epoll loop has a socket of its own on the
// listener's port. Otherwise they share its one socket.
func (s *Server) reusesPorts(l *Listener) bool {
	return s.loopsCarry(l) && l.ownsPort()
}

// newExchange makes an exchange for a worker, with a handler and counters of
// its own. Drivers call it while they are made.
func (s *Server) newExchange() *exchange {
	return &exchange{rules: s.rules, handler: s.newHandler(), count: s.newCounters()}
}

// newCounters registers a set of counters.
func (s *Server) newCounters() *counters {
	c := new(counters)
	s.workers = append(s.workers, c)
	return c
}

// Addrs returns the address of each listener, in the order of
// Config.Listeners, with the ports that were picked.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.sockets))
	for i, sock := range s.sockets {
		addrs[i] = sock.addr
	}
	return addrs
}

// Certificates describes what TLS listeners serve from files, in the order of
// Config.Certificates.
func (s *Server) Certificates() []Certificate {
	if s.tls == nil {
		return nil
	}
	return s.tls.list()
}

// Reload loads the certificates from their files again. All of them are
// replaced, or, with an error that says what is wrong with which file, none.
// Connections that exist are not affected.
func (s *Server) Reload() error {
	if s.tls == nil {
		return nil
	}
	return s.tls.reload(time.Now())
}

// SetLimits replaces Config.Limits, or returns what is wrong with them.
// Connections that exist stay.
func (s *Server) SetLimits(l Limits) error {
	return s.rules.limits.set(s.rules.exempting(l))
}

// Stats returns what was counted since New. It may be called at any time,
// concurrently.
func (s *Server) Stats() Stats {
	st := collect(s.workers)
	st.Refused = s.rules.limits.refusals()
	for _, d := range s.drivers {
		if d, ok := d.(interface{ stats() []LoopStats }); ok {
			st.Loops = d.stats()
		}
	}
	return st
}

// Close releases the sockets of a server that is not Run.
func (s *Server) Close() {
	s.started.Do(func() {
		for _, d := range s.drivers {
			d.close()
		}
		for _, sock := range s.sockets {
			sock.close()
		}
	})
}

// Run serves until ctx is done, then drains and returns nil within the
// shutdown timeout. An error says that a driver failed; the others were
// stopped. Run may be called once.
func (s *Server) Run(ctx context.Context) error {
	err := errors.New("server: Run was called twice, or after Close")
	s.started.Do(func() { err = s.run(ctx) })
	return err
}

func (s *Server) run(ctx context.Context) error {
	// The drivers' own context ends after draining is set, so that none of them
	// stops accepting while replies still promise to keep connections.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.drain = func() { s.rules.draining.Store(true); cancel() }
	defer s.drain()
	stop := context.AfterFunc(ctx, s.drain)
	defer stop()
	if ctx.Err() != nil {
		s.drain() // not in a while, in a goroutine of its own
	}

	go s.watch(running)
	ended := make(chan error, len(s.drivers))
	for _, d := range s.drivers {
		go func() { ended <- d.run(running) }()
	}
	var errs []error
	for range s.drivers {
		if err := <-ended; err != nil {
			errs = append(errs, fmt.Errorf("server: %w", err))
		}
	}
	return errors.Join(errs...)
}
