// Spate-bench compares trackers under the same load: server CPU time for each
// answered request, latency, memory.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"spate/internal/bench"
	"spate/internal/files"
)

// version and commit are set by the linker.
var (
	version = "unknown"
	commit  = "unknown"
)

const usage = `spate-bench: compare BitTorrent trackers under the same load

Usage: spate-bench [OPTIONS] PLAN.toml
       spate-bench report [OPTIONS] RESULT.json...
       spate-bench compare OLD.json NEW.json

Measures every tracker of the plan under every workload, round after round, and
prints a table for each workload. report does that for results written before,
pieces of one run. compare exits with 1 when anything became worse by more than
chance and more than 3 %.

      --json FILE        write the result, for report and compare
      --markdown FILE    write the tables to FILE instead of standard output
      --plots DIR        draw pictures of each workload into DIR
      --format svg|png   of the pictures (default svg)
      --rounds N         instead of the plan's
      --seconds N        instead of the plan's
      --trackers A,B     only these of the plan's trackers
      --workloads A,B    only these of the plan's workloads
      --program NAME=PATH
                         start PATH where the plan says NAME; may be repeated
  -v, --version          print the version
  -h, --help             print this
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 1 when something failed or became worse, 2 for
// wrong flags.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	verb := ""
	if len(args) > 0 && (args[0] == "compare" || args[0] == "report") {
		verb, args = args[0], args[1:]
	}
	o, err := parseFlags(verb, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = fmt.Fprint(stdout, usage)
		return failed(stderr, err)
	case err != nil:
		fmt.Fprintf(stderr, "spate-bench: %v\n\n%s", err, usage)
		return 2
	case o.version:
		_, err = fmt.Fprintln(stdout, "spate-bench", version)
		return failed(stderr, err)
	}
	switch verb {
	case "compare":
		var worse int
		if worse, err = compare(o.files, stdout); err == nil && worse > 0 {
			return 1
		}
	case "report":
		err = o.report(stdout)
	default:
		err = o.measure(ctx, stdout, stderr)
	}
	return failed(stderr, err)
}

// failed prints what went wrong, if anything, and returns the exit code.
func failed(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "spate-bench: %v\n", err)
	return 1
}

func compare(files []string, stdout io.Writer) (worse int, err error) {
	before, err := bench.Read(files[0])
	if err != nil {
		return 0, err
	}
	after, err := bench.Read(files[1])
	if err != nil {
		return 0, err
	}
	var text bytes.Buffer
	worse = bench.Compare(&text, before, after)
	_, err = stdout.Write(text.Bytes())
	return worse, err
}

// report writes what was asked for of results that were measured before.
func (o *options) report(stdout io.Writer) error {
	result, err := bench.Read(o.files...)
	if err != nil {
		return err
	}
	return o.write(result, stdout)
}

// measure runs the plan.
func (o *options) measure(ctx context.Context, stdout, stderr io.Writer) error {
	plan, err := bench.LoadPlan(o.files[0])
	if err != nil {
		return err
	}
	if o.rounds > 0 {
		plan.Rounds = o.rounds
	}
	if o.seconds > 0 {
		plan.Seconds = o.seconds
	}
	if err := plan.UsePrograms(o.programs); err != nil {
		return err
	}
	if err := plan.Select(o.trackers, o.workloads); err != nil {
		return err
	}
	if err := o.checkFiles(); err != nil {
		return err // not after an hour of measuring
	}
	result, err := bench.Run(ctx, plan, bench.Build{Version: version, Commit: commit}, stderr)
	if result == nil || len(result.Samples) == 0 {
		return err
	}
	// What was measured before an error, or Ctrl-C, is not thrown away.
	return errors.Join(err, o.write(result, stdout))
}

// write writes all that was asked for, and then says what could not be: an hour of
// measuring is not lost for the first of them.
func (o *options) write(result *bench.Result, stdout io.Writer) error {
	var errs []error
	if o.json != "" {
		errs = append(errs, files.Write(o.json, result.Write))
	}
	if o.plots != "" {
		err := os.MkdirAll(o.plots, 0o755)
		if err == nil {
			_, err = result.Plot(o.plots, o.format)
		}
		errs = append(errs, err)
	}
	tables := func(w io.Writer) error {
		var text bytes.Buffer
		result.WriteMarkdown(&text)
		_, err := w.Write(text.Bytes())
		return err
	}
	if o.markdown != "" {
		errs = append(errs, files.Write(o.markdown, tables))
	} else {
		errs = append(errs, tables(stdout))
	}
	return errors.Join(errs...)
}
