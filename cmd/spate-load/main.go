// Spate-load loads a BitTorrent tracker over HTTP and tells the truth about what
// comes back.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"spate/internal/load"
)

// version is set by the linker.
var version = "unknown"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 0 for a run without faults, 1 for a configuration
// that is wrong or a run with faults, 2 for wrong flags.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = fmt.Fprint(stdout, usage)
		return failed(stderr, err)
	case err != nil:
		fmt.Fprintf(stderr, "spate-load: %v\n\n%s", err, usage)
		return 2
	case o.version:
		_, err = fmt.Fprintln(stdout, "spate-load", version)
		return failed(stderr, err)
	case o.printDefault:
		_, err = fmt.Fprint(stdout, load.DefaultFile())
		return failed(stderr, err)
	}
	cfg, err := o.config()
	if err == nil && o.printParsed {
		_, err = fmt.Fprint(stdout, cfg.Print())
		return failed(stderr, err)
	}
	if err == nil && !o.allowRemote {
		err = load.CheckTarget(cfg.ServerAddress)
	}
	if err == nil {
		err = o.checkFiles() // not after a run of an hour
	}
	if err != nil {
		return failed(stderr, err)
	}
	load.GiveProcessors(cfg.NumWorkers)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := load.Run(ctx, cfg, o.progress(&cfg, stdout))
	if err == nil {
		err = o.write(report, stdout)
	}
	if err != nil {
		return failed(stderr, err)
	}
	if report.Tally.Faults.Total() > 0 || report.Tally.Answered() == 0 {
		return 1
	}
	return 0
}

// failed prints what went wrong, if anything, and returns the exit code.
func failed(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "spate-load: %v\n", err)
	return 1
}

// config returns the file's configuration, or the default, with the flags'
// values in place.
func (o *options) config() (load.Config, error) {
	cfg := load.DefaultConfig()
	if o.file != "" {
		var err error
		if cfg, err = load.LoadFile(o.file); err != nil {
			return cfg, err
		}
	}
	if o.server != "" {
		cfg.ServerAddress = o.server
	}
	if o.duration >= 0 {
		cfg.Duration = o.duration
	}
	if o.rate > 0 {
		cfg.Rate.Mode, cfg.Rate.RequestsPerSecond = "open", o.rate
	}
	cfg.Check.Verify = cfg.Check.Verify || o.verify
	return cfg, cfg.Validate()
}
