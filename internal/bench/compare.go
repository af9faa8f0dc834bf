package bench

import (
	"fmt"
	"io"
)

// A figure is what two runs are compared by. Less is better.
type figure struct {
	name string
	of   func(*Sample) float64
	// counts says that getting worse is a regression. Latency does not count: on a
	// machine that others use it says more of them than of the tracker.
	counts bool
}

func figures() []figure {
	return []figure{
		{"CPU µs per request", cpuMicros, true},
		{"bytes per peer", func(s *Sample) float64 { return s.BytesPerPeer }, true},
		{"peak MiB", func(s *Sample) float64 { return float64(s.PeakBytes) / (1 << 20) }, true},
		{"p99 µs", func(s *Sample) float64 { return s.P99Micros }, false},
		{"p99.9 µs", func(s *Sample) float64 { return s.P999Micros }, false},
	}
}

// tolerance is how much worse a figure may be without counting as a regression,
// however sure: three parts in a hundred change with the weather.
const tolerance = 1.03

// Compare writes how the figures of two runs differ: for each tracker and
// workload that both have, their ratio with its 95 % interval. It returns how many
// are worse by more than chance and more than the tolerance, latencies apart.
func Compare(w io.Writer, before, after *Result) (worse int) {
	if before.Machine.CPU != after.Machine.CPU || before.Machine.Kernel != after.Machine.Kernel || before.Machine.Cores != after.Machine.Cores {
		fmt.Fprintf(w, "The runs were made on different machines, so that the ratios say little: %s, %d cores, Linux %s, and %s, %d cores, Linux %s.\n\n",
			before.Machine.CPU, before.Machine.Cores, before.Machine.Kernel, after.Machine.CPU, after.Machine.Cores, after.Machine.Kernel)
	}
	fmt.Fprintln(w, "| workload | tracker | load | figure | before | after | ratio (95 % interval) | |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	old := before.group()
	matched := map[*series]bool{}
	for _, a := range after.group() {
		found := false
		for _, b := range old {
			if a.tracker == b.tracker && a.workload == b.workload && a.rate == b.rate && a.cores == b.cores {
				matched[b], found = true, true
				worse += compareSeries(w, b, a)
			}
		}
		if !found {
			fmt.Fprintf(w, "| %s | %s | %s | | | | | only in the second run |\n", a.workload, a.tracker, a.loadName())
		}
	}
	for _, b := range old {
		if !matched[b] {
			fmt.Fprintf(w, "| %s | %s | %s | | | | | only in the first run |\n", b.workload, b.tracker, b.loadName())
		}
	}
	return worse
}

func compareSeries(w io.Writer, before, after *series) (worse int) {
	for _, f := range figures() {
		b, a := before.column(f.of), after.column(f.of)
		if median(a) == 0 || median(b) == 0 {
			continue
		}
		ratio := estimateRatioOfRuns(a, b)
		verdict := "no difference shown"
		switch {
		case len(a) < 2 || len(b) < 2:
			verdict = "one round: no interval"
		case ratio.Low > 1 && ratio.Mean <= tolerance:
			verdict = "worse, but by little"
		case ratio.Low > 1:
			verdict = "worse"
			if f.counts {
				worse++
			}
		case ratio.High < 1:
			verdict = "better"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %.2f | %.2f | %.3f (%.3f–%.3f) | %s |\n", after.workload, after.tracker, after.loadName(), f.name,
			median(b), median(a), ratio.Mean, ratio.Low, ratio.High, verdict)
	}
	return worse
}

// loadName says at which rate and on how many cores a series was measured.
func (g *series) loadName() string {
	name := "closed"
	if g.rate > 0 {
		name = fmt.Sprintf("%.0f/s", g.rate)
	}
	if g.cores > 1 {
		name += fmt.Sprintf(", %d cores", g.cores)
	}
	return name
}
