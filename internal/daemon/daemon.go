// Package daemon is the tracker as a whole. New checks, loads and binds
// everything, or nothing; Run starts every goroutine, in one place, and ends
// them; in between there are Addrs and Reload. It is the only place that knows
// both the configuration file and the packages that it configures.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"spate/internal/access"
	"spate/internal/acme"
	"spate/internal/admin"
	"spate/internal/config"
	"spate/internal/metrics"
	"spate/internal/server"
	"spate/internal/swarm"
	"spate/internal/tracker"
)

// A Build says which program this is.
type Build struct {
	Version string // "v1.2.3", or "unknown"
	Commit  string
}

// A Daemon is a tracker that is ready to Run.
type Daemon struct {
	cfg   config.Config
	build Build
	log   *Log
	// limited is log for whatever may happen many times a second.
	limited *limitedLog
	clock   func() time.Duration
	// checking: nothing is served afterwards, and nothing on the disk changes.
	checking bool
	unmake   string // an empty directory that was only made for a check
	started  time.Time
	state    atomic.Uint32 // an admin.State

	access  *access.List
	store   *swarm.Store
	tracker *tracker.Tracker
	server  *server.Server
	sweeper *sweeper
	keeper  *keeper       // nil where no snapshots are kept
	acme    *acme.Manager // nil where no authority is configured
	systemd *systemd
	metrics *metrics.Metrics // nil where nobody can ask for them

	operator    []*admin.Server
	memoryLimit int64 // of the store, in bytes
	maxHeld     int64 // by connections, in bytes; 0 is the server's default

	passed    map[string][]*os.File // by the service manager; nil after the setup
	listeners []listener            // as the server has them, in its order
	become    *identity             // nil when no privileges are dropped

	descriptors    int          // open files for connections; 0 is unknown
	maxConnections atomic.Int64 // in force; 0 is no limit

	reloading sync.Mutex    // held by Reload; guards loaded
	loaded    config.Config // as the file said at the last reload of it
	loads     accessLoads
}

// accessLoads are the loads of the access list since the start.
type accessLoads struct {
	mu         sync.Mutex // guards the rest
	last       time.Time  // the last one that worked
	good       bool       // the last one worked
	ok, failed uint64
}

// New checks cfg, loads its files and opens its listening sockets. When
// anything fails, its error holds everything that does, one line each, and
// nothing is left open. Log may be nil.
func New(cfg config.Config, build Build, log *Log) (*Daemon, error) {
	if log == nil {
		log = &Log{Logger: slog.New(slog.DiscardHandler)}
	}
	d := newDaemon(cfg, build, log)
	if err := d.setup(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// newDaemon returns a Daemon before its setup.
func newDaemon(cfg config.Config, build Build, log *Log) *Daemon {
	start := time.Now()
	return &Daemon{
		cfg:     cfg,
		loaded:  cfg,
		build:   build,
		log:     log,
		limited: newLimitedLog(log.Handler()),
		started: start,
		clock:   func() time.Duration { return time.Since(start) },
	}
}

// setup does what New says. It goes on after an error, to find them all.
func (d *Daemon) setup() error {
	if err := d.cfg.Validate(); err != nil {
		return err
	}
	// Paths are only good once the root directory is known.
	if err := d.preparePrivileges(); err != nil {
		return err
	}
	errs := []error{d.loadAccess()}

	var err error
	available := availableMemory(d.log.Logger)
	bounds := swarmConfig(&d.cfg, available)
	d.memoryLimit = bounds.MaxMemory
	d.maxHeld = heldLimit(available)
	limitHeap(available, bounds.MaxMemory)
	if d.store, err = swarm.New(bounds); err != nil {
		errs = append(errs, err)
	}
	policy := trackerConfig(&d.cfg)
	policy.Clock = d.clock
	warnings, err := policy.Validate()
	errs = append(errs, err)
	more, hints := notes(&d.cfg)
	for _, text := range append(warnings, more...) {
		d.log.Warn(text)
	}
	for _, text := range hints {
		d.log.Info(text)
	}
	d.descriptors = raiseDescriptors(d.log.Logger)
	if d.cfg.Limits.MaxConnections == 0 {
		d.cfg.Limits.MaxConnections = d.descriptors
	}
	d.maxConnections.Store(int64(d.cfg.Limits.MaxConnections))
	d.systemd = dialSystemd()

	if d.tracker, err = tracker.New(policy, d.store, d.access); err != nil {
		return errors.Join(errs...) // the policy's error is among them
	}
	for _, text := range systemNotes(&d.cfg, available, os.DirFS("/")) {
		d.log.Warn(text)
	}
	d.passed = server.Inherited()
	errs = append(errs, d.openKeeper(), d.openACME(), d.bind(), d.openOperator())
	unserved := d.closePassed()
	d.sweeper = &sweeper{
		sweep:    func(now time.Duration) bool { return d.store.Sweep(now, d.access.Allows) },
		clock:    d.clock,
		interval: sweepPeriod(seconds(d.cfg.Cleaning.TorrentCleaningInterval), peerAge(&d.cfg)),
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, name := range unserved {
		d.log.Warn(fmt.Sprintf("nobody serves the socket that the service manager passed as %q, and who connects to it waits: it needs a [[listeners]] table with address = %q", name, "systemd:"+name))
	}
	return d.openSnapshot()
}

// Addrs returns the address of each listener of the tracker, with the ports
// that were picked: the IPv4 and IPv6 ones of [network], then [[listeners]].
func (d *Daemon) Addrs() []net.Addr { return d.server.Addrs() }

// Close releases what a Daemon holds that is not Run.
func (d *Daemon) Close() {
	if d.server != nil {
		d.server.Close()
	}
	for _, s := range d.operator {
		_ = s.Close() // it listens, and nothing was written
	}
	if d.keeper != nil {
		d.keeper.close()
	}
	if d.acme != nil {
		d.acme.Close()
	}
	if d.unmake != "" {
		_ = os.Remove(d.unmake) // it may not even have been made
	}
	if d.metrics != nil {
		_ = d.metrics.Close() // files of /proc, opened for reading
	}
	if d.systemd != nil {
		d.systemd.close()
	}
}

// Run serves until ctx is done, stops within [limits] shutdown_timeout, and
// returns nil. It loads the snapshot and drops privileges first, where that is
// configured; when ctx is done before the snapshot is loaded, it returns nil at once.
// An error says what failed; everything else was stopped. Run may be called once.
func (d *Daemon) Run(ctx context.Context) error {
	defer d.Close()
	// Who connects meanwhile waits in the kernel's queue.
	if whole, err := d.restore(ctx); err != nil || !whole {
		return err
	}
	if err := d.dropPrivileges(); err != nil {
		return err
	}
	return d.serve(ctx)
}

// serve is Run once there is nothing left to do first.
func (d *Daemon) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g := &group{errs: make(chan error, 1+len(d.operator)), failed: cancel}
	// What supports the server goes on until it has stopped, so that the
	// operator can watch it stop.
	support, endSupport := context.WithCancel(context.WithoutCancel(ctx))
	defer endSupport()
	// To the end, since the service manager's patience does not end before.
	alive, die := context.WithCancel(context.WithoutCancel(ctx))
	var watchdog sync.WaitGroup
	watchdog.Go(func() { d.watchdog(alive) })
	defer watchdog.Wait()
	defer die()

	// Before the first reply, so that who has had one finds its URL in the log.
	// The sockets listen already.
	d.logListeners()

	// Every goroutine that lives as long as the daemon starts here. When one
	// fails, the others end.
	g.start(ctx, "server", func(ctx context.Context) error {
		defer endSupport()
		return d.server.Run(ctx)
	})
	g.start(support, "sweep", forever(d.sweeper.run))
	g.start(support, "scrapes", forever(d.tracker.PrepareScrapes))
	g.start(support, "log", forever(d.limited.run))
	g.start(support, "monitor", forever(d.monitor))
	g.start(support, "reclaim", forever(newReclaimer().run))
	if d.keeper != nil && d.keeper.interval > 0 {
		g.start(support, "snapshot", forever(d.keeper.run))
	}
	if d.acme != nil {
		g.start(ctx, "acme", forever(d.acme.Run))
	}
	for _, s := range d.operator {
		g.start(support, "operator", s.Run)
	}
	if file := d.watched(); file != nil {
		g.start(support, "watch", forever(func(ctx context.Context) { d.watch(ctx, file) }))
	}

	d.state.Store(uint32(admin.StateReady))
	d.systemd.notify("READY=1\nSTATUS=serving")
	<-ctx.Done()
	d.state.Store(uint32(admin.StateStopping))
	d.systemd.notify("STOPPING=1")
	err := g.wait()
	if d.keeper != nil {
		err = errors.Join(err, d.keeper.write(ctx, d.log.Logger))
	}
	d.logStop(err)
	return err
}

// logStop says what the tracker did in its life.
func (d *Daemon) logStop(err error) {
	stats := d.server.Stats()
	log := d.log.With("uptime", d.clock().Round(time.Second).String(), "connections", stats.Accepted4+stats.Accepted6)
	if err != nil {
		log.Error("stopped", "error", err)
		return
	}
	log.Info("stopped")
}
