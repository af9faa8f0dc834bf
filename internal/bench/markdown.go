package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// WriteMarkdown writes a table for each workload. The first tracker of each is
// what the others are compared with.
func (r *Result) WriteMarkdown(w io.Writer) {
	fmt.Fprintf(w, "%s, %d cores, Linux %s, %s, spate-bench %s (commit %s), %s. ", r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel,
		r.Machine.Go, r.Machine.Version, r.Machine.Commit, r.When.Format("2006-01-02"))
	fmt.Fprintf(w, "%d rounds of %d s; server on processors %s, generator on %s.\n", r.Rounds, r.Seconds, r.ServerCPUs, r.GeneratorCPUs)
	if len(r.Versions) > 0 {
		fmt.Fprintf(w, "\n| tracker | version |\n|---|---|\n")
		for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
			fmt.Fprintf(w, "| %s | %s |\n", name, r.Versions[name])
		}
	}
	workload := ""
	var base *series
	for _, g := range r.ordered() {
		if g.workload != workload {
			workload, base = g.workload, g
			fmt.Fprintf(w, "\n### %s\n\n", workload)
			fmt.Fprintln(w, "| tracker | load | CPU µs per request | ratio (95 % interval) | requests/s | p50 µs | p99 µs | p99.9 µs | context switches | peak MiB | bytes per peer | faults | failure responses |")
			fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|---|---|")
		} else if g.rate != base.rate || g.cores != base.cores {
			base = g
		}
		writeRow(w, g, base)
	}
}

// ordered returns the series by workload, then by rate.
func (r *Result) ordered() []*series {
	var out []*series
	all := r.group()
	done := map[*series]bool{}
	for _, first := range all {
		for _, second := range all {
			if done[second] || second.workload != first.workload {
				continue
			}
			for _, g := range all {
				if !done[g] && g.workload == second.workload && g.rate == second.rate && g.cores == second.cores {
					done[g] = true
					out = append(out, g)
				}
			}
		}
	}
	return out
}

func writeRow(w io.Writer, g, base *series) {
	at := func(f func(*Sample) float64) float64 { return median(g.column(f)) }
	ratio := estimateRatio(g.column(cpuMicros), base.column(cpuMicros))
	rate, perPeer := g.loadName(), "–"
	if b := at(func(s *Sample) float64 { return s.BytesPerPeer }); b != 0 {
		perPeer = fmt.Sprintf("%.1f", b)
	}
	var faults, failures uint64
	note := ""
	for i := range g.samples {
		faults += g.samples[i].Faults
		failures += g.samples[i].Failures
		if g.samples[i].Saturated {
			note = " (generator busy all the time)"
		}
	}
	fmt.Fprintf(w, "| %s | %s | %.2f | %.3f (%.3f–%.3f) | %.0f | %.0f | %.0f | %.0f | %.3f | %.1f | %s | %d | %d |\n",
		g.tracker, rate+note, at(cpuMicros), ratio.Mean, ratio.Low, ratio.High,
		at(func(s *Sample) float64 { return s.PerSecond }), at(func(s *Sample) float64 { return s.P50Micros }),
		at(func(s *Sample) float64 { return s.P99Micros }), at(func(s *Sample) float64 { return s.P999Micros }),
		at(func(s *Sample) float64 { return s.Switches }), at(func(s *Sample) float64 { return float64(s.PeakBytes) })/(1<<20),
		perPeer, faults, failures)
}
