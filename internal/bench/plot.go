package bench

import (
	"fmt"
	"image/color"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
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

// Plot draws pictures of each workload into dir: CPU time per request in bars;
// latency over rate, where there are several rates, or bars of it, for one; memory
// over peers, for workloads that fill the tracker; and throughput over cores for
// those on several sets of processors. format is svg or png. It returns the files'
// names.
func (r *Result) Plot(dir, format string) ([]string, error) {
	if err := CheckFormat(format); err != nil {
		return nil, err
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
		for _, drawing := range drawings(name, byWorkload[name]) {
			p, err := drawing.draw()
			if err != nil {
				return files, fmt.Errorf("plot of %s: %w", name, err)
			}
			path := filepath.Join(dir, strings.ReplaceAll(drawing.file, " ", "-")+"."+format)
			if err := p.Save(plotWidth, drawing.height(), path); err != nil {
				return files, fmt.Errorf("plot of %s: %w", name, err)
			}
			files = append(files, path)
		}
	}
	return files, nil
}

// CheckFormat reports whether pictures can be of a format.
func CheckFormat(format string) error {
	if format != "svg" && format != "png" {
		return fmt.Errorf("format %q: needs svg or png", format)
	}
	return nil
}

// drawing is one picture to be.
type drawing struct {
	file string
	bars int // how many there are, 0 for curves
	draw func() (*plot.Plot, error)
}

func (d *drawing) height() vg.Length {
	if d.bars == 0 {
		return plotHeight
	}
	return barRoom*vg.Length(d.bars) + barFrame
}

// drawings returns the pictures of one workload.
func drawings(name string, groups []*series) []drawing {
	var all []drawing
	filled := slices.ContainsFunc(groups, func(g *series) bool { return len(g.points()) > 0 })
	if filled {
		all = append(all, drawing{name + "-memory", 0, func() (*plot.Plot, error) { return memoryCurves(name, groups) }})
	}
	rates := map[float64]bool{}
	for _, g := range groups {
		rates[g.rate] = true
	}
	switch {
	case len(rates) > 1:
		all = append(all, drawing{name, 0, func() (*plot.Plot, error) {
			return curves(name, groups, axes{"requests per second", "p99 latency (ms)", true},
				func(g *series) float64 { return g.rate }, func(s *Sample) float64 { return max(s.P99Micros/1e3, 1e-3) })
		}})
	case severalCores(groups):
		all = append(all, drawing{name, 0, func() (*plot.Plot, error) {
			return curves(name, groups, axes{"number of cores", "answered requests per second", false},
				func(g *series) float64 { return float64(g.cores) }, func(s *Sample) float64 { return s.PerSecond })
		}})
	case groups[0].rate > 0:
		title := fmt.Sprintf("%s, %.0f requests a second", name, groups[0].rate)
		all = append(all, drawing{name, len(groups), func() (*plot.Plot, error) {
			return bars(title, "p99.9 latency (ms)", groups, func(s *Sample) float64 { return s.P999Micros / 1e3 })
		}})
	case filled:
		all = append(all, drawing{name, len(groups), func() (*plot.Plot, error) {
			return bars(name, "resident bytes for each peer", groups, func(s *Sample) float64 { return s.BytesPerPeer })
		}})
	default:
		all = append(all, drawing{name, len(groups), func() (*plot.Plot, error) {
			return bars(name, "server CPU time per request (µs)", groups, cpuMicros)
		}})
	}
	return all
}

// points returns memory over peers, of the last round.
func (g *series) points() []Point { return g.samples[len(g.samples)-1].Points }

// Room for each bar, and for what is around them.
const (
	barRoom  = 1.1 * vg.Centimeter
	barFrame = 3 * vg.Centimeter
	barWidth = 0.65 * vg.Centimeter
)

// bars draws one bar for each tracker, of the median over rounds, with the lowest
// and the highest as whiskers.
func bars(title, unit string, groups []*series, figure func(*Sample) float64) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text = unit
	names := make([]string, len(groups))
	var ends plotter.XYLabels
	var spread whiskers
	for i, g := range groups {
		at := float64(len(groups) - 1 - i) // the first on top
		values := g.column(figure)
		middle := median(values)
		bar, err := plotter.NewBarChart(plotter.Values{middle}, barWidth)
		if err != nil {
			return nil, err
		}
		bar.Horizontal, bar.XMin, bar.Color, bar.LineStyle.Width = true, at, palette[i%len(palette)], 0
		p.Add(bar)
		names[len(groups)-1-i] = " " + g.tracker // the space keeps it off the edge
		ends.XYs = append(ends.XYs, plotter.XY{X: slices.Max(values), Y: at})
		ends.Labels = append(ends.Labels, " "+threeDigits(middle))
		spread.XYs = append(spread.XYs, plotter.XY{X: middle, Y: at})
		spread.errors = append(spread.errors, struct{ Low, High float64 }{middle - slices.Min(values), slices.Max(values) - middle})
	}
	lines, err := plotter.NewXErrorBars(spread)
	if err != nil {
		return nil, err
	}
	labels, err := plotter.NewLabels(ends)
	if err != nil {
		return nil, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].YAlign = draw.YCenter
	}
	p.Add(lines, labels)
	p.NominalY(names...)
	p.X.Min = 0
	p.X.Max *= 1.1 // the last label needs room on the right
	return p, nil
}

// threeDigits writes a number with three digits, or more where it has them.
func threeDigits(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// whiskers are points with how far they spread to both sides.
type whiskers struct {
	plotter.XYs
	errors plotter.XErrors
}

func (w whiskers) XError(i int) (low, high float64) { return w.errors[i].Low, w.errors[i].High }

// memoryCurves draws resident memory over peers, a line for each tracker.
func memoryCurves(name string, groups []*series) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = name
	p.X.Label.Text, p.Y.Label.Text = "peers (thousands)", "resident memory (MiB)"
	p.X.Min, p.Y.Min = 0, 0
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	for i, g := range groups {
		var points plotter.XYs
		for _, at := range g.points() {
			points = append(points, plotter.XY{X: float64(at.Peers) / 1e3, Y: float64(at.Bytes) / (1 << 20)})
		}
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = palette[i%len(palette)], vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(g.tracker, line)
	}
	p.Y.Max *= legendRoom
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
	if !a.log {
		p.X.Tick.Marker = wholeTicks(points[order[0]])
		p.Y.Max *= legendRoom
	}
	return p, nil
}

// legendRoom is how much higher than the highest curve a picture is, for the
// legend.
const legendRoom = 1.3

// wholeTicks has a tick at each point's x.
func wholeTicks(points plotter.XYs) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, at := range points {
		ticks = append(ticks, plot.Tick{Value: at.X, Label: fmt.Sprintf("%.0f", at.X)})
	}
	return ticks
}
