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
	"strings"
	"syscall"

	"spate/internal/load"
)

// version is set by the linker.
var version = "devel"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 0 for a run without faults, 1 for a configuration
// that is wrong or a run with faults, 2 for wrong flags.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "spate-load: %v\n\n%s", err, usage)
		return 2
	case o.version:
		fmt.Fprintln(stdout, version)
		return 0
	case o.printDefault:
		fmt.Fprint(stdout, load.DefaultFile())
		return 0
	}
	cfg, err := o.config()
	if err == nil && !o.allowRemote {
		err = load.CheckTarget(cfg.ServerAddress)
	}
	if err == nil && o.plot != "" {
		err = load.CheckPlot(o.plot) // not after a run of an hour
	}
	if err != nil {
		fmt.Fprintf(stderr, "spate-load: %v\n", err)
		return 1
	}
	if o.printParsed {
		return printConfig(&cfg, stdout, stderr)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := load.Run(ctx, cfg, o.progress(&cfg, stdout))
	if err == nil {
		err = o.write(report, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "spate-load: %v\n", err)
		return 1
	}
	if report.Tally.Faults.Total() > 0 || report.Tally.Answered() == 0 {
		return 1
	}
	return 0
}

func printConfig(cfg *load.Config, stdout, stderr io.Writer) int {
	text, err := cfg.Print()
	if err != nil {
		fmt.Fprintf(stderr, "spate-load: %v\n", err)
		return 1
	}
	fmt.Fprint(stdout, text)
	return 0
}

const usage = `spate-load: a load tester for HTTP BitTorrent trackers

Usage: spate-load [OPTIONS]

  -c, --config-file FILE   take the configuration from FILE (aquatic_http_load_test's work too)
  -p, --print-config       print the default configuration, with comments
  -P, --print-parsed-config
                           print the configuration as it was read
  -v, --version            print the version
  -h, --help               print this
      --server ADDRESS     target, instead of server_address
      --duration SECONDS   length, instead of duration
      --rate N             open loop of N requests a second
      --verify             check every reply against what was announced
      --json               print the report as JSON, and nothing else
      --histogram FILE     write the latency distribution (HdrHistogram text form)
      --plot FILE          draw latency by percentile (.svg or .png)
      --allow-remote       lift the limit to loopback targets: for trackers of your own
`

// options is what the command line says.
type options struct {
	file                               string
	printDefault, printParsed, version bool
	server                             string
	duration                           int
	rate                               float64
	verify, json, allowRemote          bool
	histogram, plot                    string
}

func parseFlags(args []string) (*options, error) {
	var o options
	f := flag.NewFlagSet("spate-load", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	for _, name := range []string{"c", "config-file", "config"} {
		f.StringVar(&o.file, name, "", "")
	}
	for _, name := range []string{"p", "print-config"} {
		f.BoolVar(&o.printDefault, name, false, "")
	}
	for _, name := range []string{"P", "print-parsed-config"} {
		f.BoolVar(&o.printParsed, name, false, "")
	}
	for _, name := range []string{"v", "version"} {
		f.BoolVar(&o.version, name, false, "")
	}
	f.StringVar(&o.server, "server", "", "")
	f.IntVar(&o.duration, "duration", -1, "")
	f.Float64Var(&o.rate, "rate", 0, "")
	f.BoolVar(&o.verify, "verify", false, "")
	f.BoolVar(&o.json, "json", false, "")
	f.BoolVar(&o.allowRemote, "allow-remote", false, "")
	f.StringVar(&o.histogram, "histogram", "", "")
	f.StringVar(&o.plot, "plot", "", "")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument: %s", strings.Join(f.Args(), " "))
	}
	return &o, nil
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
