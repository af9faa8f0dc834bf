package bench

import (
	"fmt"
	"io"
)

// WriteMarkdown writes a table for each workload. The first tracker of each is
// what the others are compared with.
func (r *Result) WriteMarkdown(w io.Writer) {
	fmt.Fprintf(w, "%s, %d cores, Linux %s, %s, source %s, %s. ", r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel,
		r.Machine.Go, r.Machine.Version, r.When.Format("2006-01-02"))
	fmt.Fprintf(w, "%d rounds of %d s; server on processors %s, generator on %s.\n", r.Rounds, r.Seconds, r.ServerCPUs, r.GeneratorCPUs)
	workload := ""
	var base *series
	for _, g := range r.ordered() {
		if g.workload != workload {
			workload, base = g.workload, g
			fmt.Fprintf(w, "\n### %s\n\n", workload)
			fmt.Fprintln(w, "| tracker | load | CPU µs per request | ratio (95 % interval) | requests/s | p50 µs | p99 µs | p99.9 µs | context switches | peak MiB | bytes per peer | faults |")
			fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|---|")
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
	rate, perPeer := "closed", "–"
	if g.rate > 0 {
		rate = fmt.Sprintf("%.0f/s", g.rate)
	}
	if b := at(func(s *Sample) float64 { return s.BytesPerPeer }); b != 0 {
		perPeer = fmt.Sprintf("%.1f", b)
	}
	if g.cores > 1 {
		rate += fmt.Sprintf(", %d cores", g.cores)
	}
	var faults uint64
	for i := range g.samples {
		faults += g.samples[i].Faults
	}
	fmt.Fprintf(w, "| %s | %s | %.2f | %.3f (%.3f–%.3f) | %.0f | %.0f | %.0f | %.0f | %.3f | %.1f | %s | %d |\n",
		g.tracker, rate, at(cpuMicros), ratio.Mean, ratio.Low, ratio.High,
		at(func(s *Sample) float64 { return s.PerSecond }), at(func(s *Sample) float64 { return s.P50Micros }),
		at(func(s *Sample) float64 { return s.P99Micros }), at(func(s *Sample) float64 { return s.P999Micros }),
		at(func(s *Sample) float64 { return s.Switches }), at(func(s *Sample) float64 { return float64(s.PeakBytes) })/(1<<20),
		perPeer, faults)
}

// Compare writes how the figures of two runs differ: for each tracker and
// workload that both have, the ratio of CPU time per request with its 95 %
// interval. It returns how many are slower by more than chance.
func Compare(w io.Writer, before, after *Result) (slower int) {
	fmt.Fprintln(w, "| workload | tracker | load | CPU µs before | after | ratio (95 % interval) | |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, a := range after.group() {
		for _, b := range before.group() {
			if a.tracker != b.tracker || a.workload != b.workload || a.rate != b.rate || a.cores != b.cores {
				continue
			}
			ratio := estimateRatio(a.column(cpuMicros), b.column(cpuMicros))
			verdict := "no difference shown"
			switch {
			case len(a.samples) < 2 || len(b.samples) < 2:
				verdict = "one round: no interval"
			case ratio.Low > 1:
				verdict = "slower"
				slower++
			case ratio.High < 1:
				verdict = "faster"
			}
			fmt.Fprintf(w, "| %s | %s | %.0f | %.2f | %.2f | %.3f (%.3f–%.3f) | %s |\n", a.workload, a.tracker, a.rate,
				median(b.column(cpuMicros)), median(a.column(cpuMicros)), ratio.Mean, ratio.Low, ratio.High, verdict)
		}
	}
	return slower
}
