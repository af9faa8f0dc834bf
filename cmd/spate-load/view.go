package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"spate/internal/files"
	"spate/internal/load"
)

const (
	// lineEvery is aquatic_http_load_test's report interval.
	lineEvery = 5 * time.Second
	// liveEvery is how often a terminal is drawn anew.
	liveEvery = time.Second
	// barWidth is the width of the progress bar.
	barWidth = 40
)

// progress returns how a run reports on its way: a live view in a terminal,
// aquatic_http_load_test's lines elsewhere, nothing when JSON is asked for.
func (o *options) progress(cfg *load.Config, stdout io.Writer) load.Options {
	if o.json {
		return load.Options{}
	}
	fmt.Fprintf(stdout, "Loading %s with %d workers and %d connections each. Ctrl-C ends the run with its report.\n",
		cfg.ServerAddress, cfg.NumWorkers, cfg.NumConnections)
	if f, ok := stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		v := &liveView{w: stdout, width: func() int { return width(f) }}
		if cfg.Rate.Mode != "search" {
			v.total = time.Duration(cfg.Duration+cfg.Rate.Warmup) * time.Second
		}
		return load.Options{Every: liveEvery, Progress: v.draw}
	}
	return load.Options{Every: lineEvery, Progress: func(r *load.Report, _ time.Duration) { r.WriteRates(stdout) }}
}

// liveView draws over its own last picture.
type liveView struct {
	w     io.Writer
	width func() int    // of the terminal, in columns; a line that it breaks would not be drawn over
	total time.Duration // 0 when the run has no end
	lines int           // of the last picture
	seen  load.Faults   // all faults so far
}

// width returns how many columns a terminal has, or 0.
func width(f *os.File) int {
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

func (v *liveView) draw(r *load.Report, elapsed time.Duration) {
	var b strings.Builder
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.lines)
	}
	lines := v.picture(r, elapsed)
	for _, line := range lines {
		if n := v.width(); n > 0 && len(line) >= n {
			line = line[:n-1]
		}
		// Each line is cleared first: the one before may have been longer.
		fmt.Fprintf(&b, "\x1b[2K%s\n", line)
	}
	v.lines = len(lines)
	io.WriteString(v.w, b.String())
}

func (v *liveView) picture(r *load.Report, elapsed time.Duration) []string {
	s := r.Elapsed.Seconds()
	t := r.Tally
	for i, n := range t.Faults {
		v.seen[i] += n
	}
	all := t.All()
	ms := func(q float64) float64 { return float64(all.ValueAtQuantile(q)) / float64(time.Millisecond) }
	lines := []string{
		v.bar(elapsed),
		fmt.Sprintf("requests   %10.0f/s   responses %10.0f/s   failures %8.0f/s",
			float64(t.Sent)/s, float64(t.Answered())/s, float64(t.Failures)/s),
		fmt.Sprintf("bandwidth  %10.1f Mbit/s out   %10.1f Mbit/s in", float64(t.BytesOut)*8/1e6/s, float64(t.BytesIn)*8/1e6/s),
		fmt.Sprintf("latency    p50 %.2f ms   p99 %.2f ms   p99.9 %.2f ms   max %.2f ms",
			ms(50), ms(99), ms(99.9), float64(all.Max())/float64(time.Millisecond)),
	}
	for f, n := range v.seen {
		if n > 0 {
			lines = append(lines, fmt.Sprintf("fault      %s: %d", load.Fault(f), n))
		}
	}
	return lines
}

// bar draws how far the run is.
func (v *liveView) bar(elapsed time.Duration) string {
	if v.total == 0 {
		return fmt.Sprintf("running for %s", elapsed.Round(time.Second))
	}
	done := min(1, float64(elapsed)/float64(v.total))
	n := int(done * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f %%  %s of %s", strings.Repeat("#", n), strings.Repeat(".", barWidth-n),
		done*100, elapsed.Round(time.Second), v.total)
}

// checkFiles reports whether the files that were asked for can be written.
func (o *options) checkFiles() error {
	if o.plot != "" {
		if err := load.CheckPlot(o.plot); err != nil {
			return err
		}
	}
	return files.CheckWritable(o.plot, o.histogram)
}

// write prints the final report and writes the files that were asked for.
func (o *options) write(r *load.Report, stdout io.Writer) error {
	if o.json {
		if err := r.WriteJSON(stdout); err != nil {
			return err
		}
	} else {
		var text bytes.Buffer
		r.WriteFinal(&text)
		if _, err := stdout.Write(text.Bytes()); err != nil {
			return err
		}
	}
	if o.histogram != "" {
		if err := files.Write(o.histogram, r.WriteHistogram); err != nil {
			return err
		}
	}
	if o.plot != "" {
		return r.Plot(o.plot)
	}
	return nil
}
