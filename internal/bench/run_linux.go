package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"spate/internal/load"
)

// hashesFile holds the load's info hashes, one a line, in the scratch folder.
const hashesFile = "hashes.txt"

// Run measures every tracker under every workload it can do, round after round,
// and writes a line for each measurement to progress. With an error it returns
// what was measured before, if anything was.
func Run(ctx context.Context, p *Plan, b Build, progress io.Writer) (*Result, error) {
	dir, err := os.MkdirTemp("", "spate-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	// Trackers that give up root read their lists afterwards. The key's file is the
	// owner's alone.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if err := p.prepare(dir); err != nil {
		return nil, err
	}
	r := &Result{
		Machine: thisMachine(b), When: time.Now().UTC().Truncate(time.Second), Rounds: p.Rounds, Seconds: p.Seconds,
		ServerCPUs: p.ServerCPUs, GeneratorCPUs: p.GeneratorCPUs, Versions: p.versions(ctx),
	}
	var failed []error
	for round := range p.Rounds {
		for i := range p.Workloads {
			w := &p.Workloads[i]
			if err := writeHashes(dir, w); err != nil {
				return r, err
			}
			for j := range p.Trackers {
				t := &p.Trackers[j]
				if !t.does(w) {
					continue
				}
				m := measurement{ctx: ctx, plan: p, t: t, w: w, dir: dir}
				if err := r.take(&m, round, progress); err != nil {
					// The others are measured all the same.
					failed = append(failed, fmt.Errorf("round %d: %w", round+1, err))
					fmt.Fprintln(progress, failed[len(failed)-1])
				}
				if ctx.Err() != nil {
					return r, ctx.Err()
				}
			}
		}
	}
	return r, errors.Join(failed...)
}

// prepare checks what can be checked before minutes of measuring, and pins this
// process to its processors.
func (p *Plan) prepare(dir string) error {
	if err := p.findPrograms(); err != nil {
		return err
	}
	for i := range p.Workloads {
		for _, list := range p.Workloads[i].ServerCPUs {
			if err := tryCPUs(list); err != nil {
				return err
			}
		}
	}
	if err := WriteCertificate(dir); err != nil {
		return err
	}
	generatorCPUs, err := parseCPUs(p.GeneratorCPUs)
	if err != nil {
		return err
	}
	return pinProcess(generatorCPUs)
}

// take measures on each of the workload's sets of processors.
func (r *Result) take(m *measurement, round int, progress io.Writer) error {
	for _, list := range m.w.ServerCPUs {
		var err error
		if m.cpus, err = parseCPUs(list); err != nil {
			return err
		}
		samples, err := m.run()
		if err != nil {
			return err
		}
		for _, s := range samples {
			s.Round, s.Cores = round, len(m.cpus)
			r.Samples = append(r.Samples, s)
			fmt.Fprintln(progress, s.line())
		}
	}
	return nil
}

func writeHashes(dir string, w *Workload) error {
	var b bytes.Buffer
	for _, h := range load.TorrentHashes(w.Load.Torrents.NumberOfTorrents) {
		fmt.Fprintln(&b, h)
	}
	return os.WriteFile(filepath.Join(dir, hashesFile), b.Bytes(), 0o644)
}

// measurement is one tracker under one workload, once.
type measurement struct {
	ctx  context.Context
	plan *Plan
	t    *Tracker
	w    *Workload
	dir  string
	cpus []int
}

func (m *measurement) run() ([]Sample, error) {
	s, err := m.t.start(m.ctx, m.dir, m.cpus)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	cfg := m.w.Load
	cfg.ServerAddress = s.address
	empty, err := s.usage()
	if err != nil {
		return nil, m.explain(s, err)
	}
	var filled *Sample
	if m.w.Fill > 0 {
		if filled, err = m.fill(s, cfg, empty); err != nil {
			return nil, err
		}
		if m.w.Memory {
			return []Sample{*filled}, nil
		}
	}
	if m.plan.Warmup > 0 {
		warm := cfg
		warm.Duration = m.plan.Warmup
		if _, err := load.Run(m.ctx, warm, load.Options{}); err != nil {
			return nil, err
		}
	}
	rates := m.w.Rates
	if len(rates) == 0 {
		rates = []float64{0}
	}
	var samples []Sample
	for _, rate := range rates {
		sample, err := m.measure(s, cfg, rate)
		if err != nil {
			return nil, err
		}
		if filled != nil {
			sample.BytesPerPeer, sample.Points = filled.BytesPerPeer, filled.Points
			filled = nil // once is enough
		}
		samples = append(samples, sample)
	}
	return samples, nil
}

// measure runs the load once: closed for rate 0, else open at that rate.
func (m *measurement) measure(s *server, cfg load.Config, rate float64) (Sample, error) {
	cfg.Duration = m.plan.Seconds
	if rate > 0 {
		cfg.Rate.Mode, cfg.Rate.RequestsPerSecond = "open", rate
	}
	before, err := s.usage()
	if err != nil {
		return Sample{}, m.explain(s, err)
	}
	endScrapes := scrape(m.ctx, s.metrics, time.Second/time.Duration(max(m.t.ScrapesPerSecond, 1)))
	report, err := load.Run(m.ctx, cfg, load.Options{})
	if _, scrapeErr := endScrapes(); scrapeErr != nil {
		err = errors.Join(err, m.explain(s, scrapeErr))
	}
	if err != nil {
		return Sample{}, err
	}
	sample, err := m.sample(s, report, before)
	sample.Rate = rate
	return sample, err
}

// explain adds to an error which tracker it is of, and what that said.
func (m *measurement) explain(s *server, err error) error {
	return fmt.Errorf("tracker %s under %s: %w; it said:\n%s", m.t.Name, m.w.Name, err, &s.log)
}

// sample works out what a run of the load has taken since before.
func (m *measurement) sample(s *server, report *load.Report, before usage) (Sample, error) {
	after, err := s.usage()
	if err == nil && after.cpu < before.cpu {
		err = errors.New("a process that it had started has ended meanwhile")
	}
	if err != nil {
		return Sample{}, m.explain(s, err)
	}
	if err := m.ctx.Err(); err != nil {
		return Sample{}, err
	}
	answered := float64(report.Tally.Answered())
	if answered == 0 {
		return Sample{}, m.explain(s, errors.New("it answered nothing"))
	}
	all := report.Tally.All()
	return Sample{
		Tracker: m.t.Name, Workload: m.w.Name,
		CPUMicros: float64(after.cpu-before.cpu) / answered / 1e3,
		PerSecond: answered / report.Elapsed.Seconds(),
		P50Micros: float64(all.ValueAtQuantile(50)) / 1e3, P99Micros: float64(all.ValueAtQuantile(99)) / 1e3,
		P999Micros: float64(all.ValueAtQuantile(99.9)) / 1e3, MaxMicros: float64(all.Max()) / 1e3,
		// Threads that have ended took their count with them.
		Switches: max(0, float64(int64(after.switches-before.switches))) / answered, PeakBytes: after.peak,
		Faults: report.Tally.Faults.Total(), Failures: report.Tally.Failures, Saturated: report.Saturated,
	}, nil
}
