// Spate-bench compares trackers under the same load: server CPU time for each
// answered request, latency, memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"spate/internal/bench"
)

const usage = `spate-bench: compare BitTorrent trackers under the same load

Usage: spate-bench [OPTIONS] PLAN.toml
       spate-bench compare OLD.json NEW.json

Measures every tracker of the plan under every workload, round after round, and
prints a table for each workload. compare exits with 1 when anything became slower
by more than chance.

      --json FILE        write the result, for compare
      --markdown FILE    write the tables to FILE instead of standard output
      --plots DIR        draw a picture for each workload into DIR
      --format svg|png   of the pictures (default svg)
      --rounds N         instead of the plan's
      --seconds N        instead of the plan's
      --trackers A,B     only these of the plan's trackers
      --workloads A,B    only these of the plan's workloads
  -h, --help             print this
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 1 when something failed or became slower, 2 for
// wrong flags.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "compare" {
		return compare(args[1:], stdout, stderr)
	}
	var o options
	f := flag.NewFlagSet("spate-bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.json, "json", "", "")
	f.StringVar(&o.markdown, "markdown", "", "")
	f.StringVar(&o.plots, "plots", "", "")
	f.StringVar(&o.format, "format", "svg", "")
	f.IntVar(&o.rounds, "rounds", 0, "")
	f.IntVar(&o.seconds, "seconds", 0, "")
	f.StringVar(&o.trackers, "trackers", "", "")
	f.StringVar(&o.workloads, "workloads", "", "")
	err := f.Parse(args)
	switch {
	case err == flag.ErrHelp:
		fmt.Fprint(stdout, usage)
		return 0
	case err == nil && f.NArg() != 1:
		err = fmt.Errorf("needs one plan")
	}
	if err != nil {
		fmt.Fprintf(stderr, "spate-bench: %v\n\n%s", err, usage)
		return 2
	}
	if err := o.run(ctx, f.Arg(0), stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "spate-bench: %v\n", err)
		return 1
	}
	return 0
}

type options struct {
	json, markdown, plots, format string
	trackers, workloads           string
	rounds, seconds               int
}

func (o *options) run(ctx context.Context, path string, stdout, stderr io.Writer) error {
	plan, err := bench.LoadPlan(path)
	if err != nil {
		return err
	}
	if o.rounds > 0 {
		plan.Rounds = o.rounds
	}
	if o.seconds > 0 {
		plan.Seconds = o.seconds
	}
	if err := plan.Select(o.trackers, o.workloads); err != nil {
		return err
	}
	result, err := bench.Run(ctx, plan, stderr)
	if err != nil {
		return err
	}
	if o.json != "" {
		if err := writeTo(o.json, result.Write); err != nil {
			return err
		}
	}
	if o.plots != "" {
		if err := os.MkdirAll(o.plots, 0o755); err != nil {
			return err
		}
		if _, err := result.Plot(o.plots, o.format); err != nil {
			return err
		}
	}
	if o.markdown != "" {
		return writeTo(o.markdown, func(w io.Writer) error { result.WriteMarkdown(w); return nil })
	}
	result.WriteMarkdown(stdout)
	return nil
}

func writeTo(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Close()
}

func compare(args []string, stdout, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintf(stderr, "spate-bench: compare needs two results\n\n%s", usage)
		return 2
	}
	before, err := bench.Read(args[0])
	if err == nil {
		var after *bench.Result
		if after, err = bench.Read(args[1]); err == nil {
			if bench.Compare(stdout, before, after) > 0 {
				return 1
			}
			return 0
		}
	}
	fmt.Fprintf(stderr, "spate-bench: %v\n", err)
	return 1
}
