package load

import (
	"context"
	"fmt"
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
		return search(ctx, cfg, o)
	}
	return runOnce(ctx, cfg, o)
}

func runOnce(ctx context.Context, cfg Config, o Options) (*Report, error) {
	if cfg.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(cfg.Duration+cfg.Rate.Warmup)*time.Second)
		defer cancel()
	}
	team, err := newTeam(&cfg)
	if err != nil {
		return nil, err
	}
	begin, cpu := time.Now(), cpuTime()
	var done sync.WaitGroup
	for _, w := range team {
		w.start(ctx, &done)
	}
	whole := &gathering{team: team, tally: NewTally(), begin: begin, part: begin, warmup: time.Duration(cfg.Rate.Warmup) * time.Second}
	finished := make(chan struct{})
	go func() { done.Wait(); close(finished) }()
	whole.watch(finished, o)
	return whole.report(cpuTime()-cpu, cfg.NumWorkers), nil
}

// worker is one thread's worth of traffic.
type worker struct {
	*traffic
	cfg    *Config
	number int
	dialer *dialer
	pacing sync.Mutex // guards pace
	pace   pace
}

func newTeam(cfg *Config) ([]*worker, error) {
	hashes := torrentsOf(cfg.Torrents.NumberOfTorrents)
	var b *book
	if cfg.Check.Verify {
		b = newBook(len(hashes))
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
func (w *worker) startBlocking(ctx context.Context, done *sync.WaitGroup) {
	gap := time.Duration(w.cfg.ConnectionCreationIntervalMS) * time.Millisecond
	begin := time.Now()
	for i := range w.cfg.NumConnections {
		c := w.newClient(i)
		done.Go(func() {
			if sleepUntil(ctx, begin.Add(time.Duration(i)*gap)) {
				c.run(ctx, w.nextDue)
			}
		})
	}
}

func (w *worker) nextDue() (time.Time, bool) {
	w.pacing.Lock()
	defer w.pacing.Unlock()
	return w.pace.next(time.Now()), true
}

func (w *worker) newClient(i int) *client {
	n := w.number*w.cfg.NumConnections + i
	c := &client{t: w.traffic, d: w.dialer, number: n, slot: w.slotOf(n), slow: w.isSlow(i)}
	c.flight.peer = -1
	return c
}

// slotOf returns the number of the address that connection n has, or -1 where
// each request has its own.
func (w *worker) slotOf(n int) int {
	if !w.src.address.perConnection() {
		return -1
	}
	return n % w.src.address.number
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
	part   time.Time     // when the last part ended
	warmup time.Duration // not over yet, if above 0
}

// watch gathers until the workers have finished.
func (g *gathering) watch(finished <-chan struct{}, o Options) {
	start := g.begin
	var tick, warm <-chan time.Time
	if o.Every > 0 && o.Progress != nil {
		t := time.NewTicker(o.Every)
		defer t.Stop()
		tick = t.C
	}
	if g.warmup > 0 {
		warm = time.After(g.warmup)
	}
	for {
		select {
		case <-finished:
			g.collect()
			return
		case <-warm:
			g.collect()
			g.tally.reset()
			g.begin = time.Now()
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

// saturation is the share of its time that a worker may be busy before its own
// speed counts as a limit of what was measured.
const saturation = 0.95

func (g *gathering) report(cpu time.Duration, workers int) *Report {
	elapsed := time.Since(g.begin)
	return &Report{
		Elapsed: elapsed, Tally: g.tally, CPU: cpu,
		Saturated: cpu > time.Duration(saturation*float64(workers)*float64(elapsed)),
	}
}
