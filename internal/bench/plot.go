package bench

import (
	"fmt"
	"image/color"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

const (
	plotWidth  = 18 * vg.Centimeter
	plotHeight = 11 * vg.Centimeter
)

// palette is told apart also by those who do not see red and green (Okabe and
// Ito's colours).
var palette = [...]color.RGBA{
	{0x00, 0x72, 0xb2, 0xff},
	{0xe6, 0x9f, 0x00, 0xff},
	{0x00, 0x9e, 0x73, 0xff},
	{0xcc, 0x79, 0xa7, 0xff},
	{0x56, 0xb4, 0xe9, 0xff},
	{0xd5, 0x5e, 0x00, 0xff},
	{0x99, 0x99, 0x99, 0xff},
	{0xf0, 0xe4, 0x42, 0xff},
}

// Plot draws, for each workload, a picture into dir: bars of CPU time per
// request, bars of bytes per peer for memory workloads, latency over rate for
// workloads with several rates, and throughput over cores for those on several
// sets of processors. format is svg or png. It returns the files'
// names.
func (r *Result) Plot(dir, format string) ([]string, error) {
	if format != "svg" && format != "png" {
		return nil, fmt.Errorf("plot format %q: needs svg or png", format)
	}
	byWorkload := map[string][]*series{}
	var order []string
	for _, g := range r.ordered() {
		if byWorkload[g.workload] == nil {
			order = append(order, g.workload)
		}
		byWorkload[g.workload] = append(byWorkload[g.workload], g)
	}
	var files []string
	for _, name := range order {
		p, err := picture(name, byWorkload[name])
		if err != nil {
			return files, fmt.Errorf("plot of %s: %w", name, err)
		}
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+"."+format)
		if err := p.Save(plotWidth, plotHeight, path); err != nil {
			return files, fmt.Errorf("plot of %s: %w", name, err)
		}
		files = append(files, path)
	}
	return files, nil
}

func picture(name string, groups []*series) (*plot.Plot, error) {
	switch {
	case groups[0].rate > 0:
		return curves(name, groups, axes{"requests per second", "p99 latency (ms)", true},
			func(g *series) float64 { return g.rate }, func(s *Sample) float64 { return max(s.P99Micros/1e3, 1e-3) })
	case severalCores(groups):
		return curves(name, groups, axes{"cores", "answered requests per second", false},
			func(g *series) float64 { return float64(g.cores) }, func(s *Sample) float64 { return s.PerSecond })
	case groups[0].samples[0].BytesPerPeer != 0:
		return bars(name, "bytes of resident memory per peer", groups, func(s *Sample) float64 { return s.BytesPerPeer })
	default:
		return bars(name, "server CPU time per request (µs)", groups, cpuMicros)
	}
}

// bars draws one bar for each tracker, of the median over rounds.
func bars(title, unit string, groups []*series, figure func(*Sample) float64) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.Y.Label.Text = unit
	p.Y.Min = 0
	var names []string
	for i, g := range groups {
		bar, err := plotter.NewBarChart(plotter.Values{median(g.column(figure))}, vg.Points(32))
		if err != nil {
			return nil, err
		}
		bar.XMin = float64(i)
		bar.Color = palette[i%len(palette)]
		bar.LineStyle.Width = 0
		p.Add(bar)
		names = append(names, g.tracker)
	}
	p.NominalX(names...)
	return p, nil
}

// severalCores reports whether a workload was run on more than one number of
// cores.
func severalCores(groups []*series) bool {
	for _, g := range groups {
		if g.cores != groups[0].cores {
			return true
		}
	}
	return false
}

// axes says what a picture's axes are.
type axes struct {
	x, y string
	log  bool // of y
}

// curves draws a line for each tracker, of the median over rounds.
func curves(title string, groups []*series, a axes, x func(*series) float64, y func(*Sample) float64) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = a.x, a.y
	if a.log {
		p.Y.Scale = plot.LogScale{}
		p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	} else {
		p.Y.Min = 0
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	points := map[string]plotter.XYs{}
	var order []string
	for _, g := range groups {
		if points[g.tracker] == nil {
			order = append(order, g.tracker)
		}
		points[g.tracker] = append(points[g.tracker], plotter.XY{X: x(g), Y: median(g.column(y))})
	}
	for i, name := range order {
		line, dots, err := plotter.NewLinePoints(points[name])
		if err != nil {
			return nil, err
		}
		line.Color, dots.Color = palette[i%len(palette)], palette[i%len(palette)]
		line.Width = vg.Points(1.5)
		p.Add(line, dots)
		p.Legend.Add(name, line)
	}
	return p, nil
}
