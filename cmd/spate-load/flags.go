package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

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
	o := options{duration: -1}
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
	f.Func("duration", "", func(s string) error {
		var err error
		if o.duration, err = strconv.Atoi(s); err != nil || o.duration < 0 {
			return errors.New("needs a whole number of seconds, 0 for a run without an end")
		}
		return nil
	})
	f.Func("rate", "", func(s string) error {
		var err error
		if o.rate, err = strconv.ParseFloat(s, 64); err != nil || !(o.rate > 0) || math.IsInf(o.rate, 1) {
			return errors.New("needs a number of requests a second above 0")
		}
		return nil
	})
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
