package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// Options are what a run needs besides its configuration.
type Options struct {
	// Every is how often Progress is called; 0 never does.
	Every time.Duration
	// Progress is given what has happened since it was last called, and how far
	// the run is. It is called from one goroutine, and must not keep part.
	Progress func(part *Report, elapsed time.Duration)
}

// Run loads the tracker until the configured duration is over or ctx ends, and
// returns the whole run's report. The first warm-up seconds are not part of it.
// A configuration that Validate refuses is an error.
func Run(ctx context.Context, cfg Config, o Options) (*Report, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Rate.Mode == modeSearch {
		return search(ctx, cfg, func(ctx context.Context, step Config) (*Report, error) { return runOnce(ctx, step, o) })
	}
	return runOnce(ctx, cfg, o)
}

func runOnce(ctx context.Context, cfg Config, o Options) (*Report, error) {
	team, err := newTeam(&cfg)
	if err != nil {
		return nil, err
	}
	t := term{ctx: ctx, sending: ctx}
	if cfg.Duration > 0 {
		var cancel context.CancelFunc
		t.sending, cancel = context.WithTimeout(ctx, time.Duration(cfg.Duration+cfg.Rate.Warmup)*time.Second)
		defer cancel()
	}
	begin := time.Now()
	var done sync.WaitGroup
	for _, w := range team {
		w.start(t, &done)
	}
	g := &gathering{team: team, tally: NewTally(), begin: begin, part: begin, cpu: cpuTime(), warmup: time.Duration(cfg.Rate.Warmup) * time.Second}
	finished := make(chan struct{})
	go func() { done.Wait(); close(finished) }()
	g.watch(t, finished, o)
	return g.report(&cfg), nil
}

// term is how long a run goes on. When sending ends, requests that are under way
// are waited for, each as long as its time-out lets it: without that, a tracker
// that falls silent near the end would look like one that is quick. When ctx
// ends, nothing is waited for.
type term struct {
	ctx, sending context.Context
}

// worker is one thread's worth of traffic.
type worker struct {
	*traffic
	cfg    *Config
	number int
	dialer *dialer
	pacing sync.Mutex // guards pace and connected
	pace   pace
	// connected is how many connections were opened, or begun.
	connected int
}

// GiveProcessors sets GOMAXPROCS so that the runs of a program leave room for other
// goroutines beside their workers' loops, which keep their Ps while they wait. It is
// for main functions.
func GiveProcessors(workers int) {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), workers+1))
}

func newTeam(cfg *Config) ([]*worker, error) {
	if err := checkDescriptors(cfg.NumWorkers * cfg.NumConnections); err != nil {
		return nil, err
	}
	seed := uint64(usualSeed)
	if cfg.Check.Verify && cfg.Check.FreshTorrents {
		seed = rand.Uint64()
	}
	hashes := torrentsOf(cfg.Torrents.NumberOfTorrents, seed)
	var b *book
	if cfg.Check.Verify {
		b = newBook(len(hashes), cfg.Check.PeersPerAddress)
	}
	team := make([]*worker, cfg.NumWorkers)
	for i := range team {
		src := newSource(cfg, hashes, i)
		d, err := newDialer(cfg, &src.address)
		if err != nil {
			return nil, fmt.Errorf("server_address: %w", err)
		}
		team[i] = &worker{
			traffic: &traffic{cfg: cfg, src: src, book: b, meter: newMeter()},
			cfg:     cfg, number: i, dialer: d,
			pace: newPace(&cfg.Rate, cfg.NumWorkers, time.Now()),
		}
	}
	return team, nil
}

// startBlocking runs each of the worker's connections in a goroutine.
func (w *worker) startBlocking(t term, done *sync.WaitGroup) {
	gap := time.Duration(w.cfg.ConnectionCreationIntervalMS) * time.Millisecond
	begin := time.Now()
	for i := range w.cfg.NumConnections {
		c := w.newClient(i)
		done.Go(func() {
			if sleepUntil(t.sending, begin.Add(time.Duration(i)*gap)) {
				c.run(t)
			}
		})
	}
}

func (w *worker) nextDue() time.Time {
	w.pacing.Lock()
	defer w.pacing.Unlock()
	return w.pace.next(time.Now())
}

func (w *worker) newClient(i int) *client {
	c := &client{t: w.traffic, w: w, d: w.dialer, slow: w.isSlow(i)}
	c.flight.peer = -1
	return c
}

// nextSlot returns the number of the address that the next connection has, or -1
// where each request has its own. Each connection has another one, until all have
// had their turn.
func (w *worker) nextSlot() int {
	if !w.src.address.perConnection() {
		return -1
	}
	w.pacing.Lock()
	defer w.pacing.Unlock()
	n := w.connected*w.cfg.NumWorkers + w.number
	w.connected++
	return n % w.src.slots()
}

// isSlow reports whether the i-th of the worker's connections reads slowly.
func (w *worker) isSlow(i int) bool {
	return float64(i) < w.cfg.Mix.SlowReaders*float64(w.cfg.NumConnections)
}

// gathering collects what the workers' meters gather.
type gathering struct {
	team   []*worker
	tally  *Tally
	begin  time.Time     // of what tally holds
	end    time.Time     // when sending ended
	cpu    time.Duration // that this process had used at begin
	part   time.Time     // when the last part ended
	warmup time.Duration // not over yet, if above 0
}

// watch gathers until the workers have finished.
func (g *gathering) watch(t term, finished <-chan struct{}, o Options) {
	start := g.begin
	var tick, warm <-chan time.Time
	if o.Every > 0 && o.Progress != nil {
		ticker := time.NewTicker(o.Every)
		defer ticker.Stop()
		tick = ticker.C
	}
	if g.warmup > 0 {
		warm = time.After(g.warmup)
	}
	sending := t.sending.Done()
	for {
		select {
		case <-sending:
			g.end, sending = time.Now(), nil
		case <-finished:
			g.collect()
			return
		case <-warm:
			g.collect()
			g.tally.reset()
			g.begin, g.cpu = time.Now(), cpuTime()
		case now := <-tick:
			part := g.collect()
			o.Progress(&Report{Elapsed: now.Sub(g.part), Tally: part}, now.Sub(start))
			g.part = now
		}
	}
}

// collect empties all meters into the tally and returns what they held.
func (g *gathering) collect() *Tally {
	part := NewTally()
	for _, w := range g.team {
		w.meter.drainInto(part)
	}
	g.tally.Merge(part)
	return part
}

// saturation is the share of its time that the load tester may be busy before its
// own speed counts as a limit of what was measured.
const saturation = 0.95

func (g *gathering) report(cfg *Config) *Report {
	r := &Report{Elapsed: g.end.Sub(g.begin), Tally: g.tally, CPU: cpuTime() - g.cpu}
	if g.end.IsZero() || r.Elapsed <= 0 {
		r.Elapsed = time.Since(g.begin)
	}
	if onLoops(cfg) {
		// A loop that does not wait is busy, or wants a processor that others have.
		whole := time.Duration(cfg.NumWorkers) * r.Elapsed
		r.Saturated = g.tally.Waited < time.Duration((1-saturation)*float64(whole))
	} else {
		r.Saturated = float64(r.CPU) > saturation*float64(processors())*float64(r.Elapsed)
	}
	return r
}
