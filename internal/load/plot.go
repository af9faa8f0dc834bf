package load

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// The size of plots.
const (
	plotWidth  = 18 * vg.Centimeter
	plotHeight = 11 * vg.Centimeter
)

// plotColors are told apart also by those who do not see red and green.
var plotColors = [kindCount]color.RGBA{
	KindAnnounce:  {R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
	KindScrape:    {R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
	KindMalformed: {R: 0x99, G: 0x99, B: 0x99, A: 0xff},
}

// CheckPlot reports whether Plot could draw into a file of that name.
func CheckPlot(path string) error {
	if !strings.HasSuffix(path, ".svg") && !strings.HasSuffix(path, ".png") {
		return fmt.Errorf("plot %s: the name needs to end in .svg or .png", path)
	}
	return nil
}

// Plot draws latency by percentile, a line for each kind of request, into a
// file whose ending (svg or png) says its format.
func (r *Report) Plot(path string) error {
	if err := CheckPlot(path); err != nil {
		return err
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("Latency by percentile, %.0f responses/s", float64(r.Tally.Answered())/r.Elapsed.Seconds())
	p.X.Label.Text = "percentile"
	p.Y.Label.Text = "latency (ms)"
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	p.X.Tick.Marker = plot.ConstantTicks{
		{Value: 0, Label: "0"},
		{Value: 1, Label: "90"},
		{Value: 2, Label: "99"},
		{Value: 3, Label: "99.9"},
		{Value: 4, Label: "99.99"},
	}
	p.X.Max = 4.2 // the last label needs room on the right
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	for k := range kindCount {
		h := r.Tally.Latency[k]
		if h.TotalCount() == 0 {
			continue
		}
		line, err := plotter.NewLine(latencyCurve(h))
		if err != nil {
			return fmt.Errorf("plot %s: %w", path, err)
		}
		line.Color, line.Width = plotColors[k], vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(k.String(), line)
	}
	if err := p.Save(plotWidth, plotHeight, path); err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	return nil
}

// latencyCurve returns latencies in milliseconds over nines: x = 2 is the 99th
// percentile.
func latencyCurve(h *hdrhistogram.Histogram) plotter.XYs {
	var points plotter.XYs
	for x := 0.0; x <= 4; x += 0.05 {
		q := 100 * (1 - math.Pow(10, -x))
		points = append(points, plotter.XY{X: x, Y: math.Max(1e-3, float64(h.ValueAtQuantile(q))/1e6)})
	}
	return points
}
