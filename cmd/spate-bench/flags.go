package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"spate/internal/bench"
	"spate/internal/files"
)

// options is what the command line says.
type options struct {
	json, markdown, plots, format string
	trackers, workloads           string
	rounds, seconds               int
	programs                      []string
	version                       bool
	files                         []string
}

func parseFlags(verb string, args []string) (*options, error) {
	var o options
	f := flag.NewFlagSet("spate-bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	if verb != "compare" {
		f.StringVar(&o.json, "json", "", "")
		f.StringVar(&o.markdown, "markdown", "", "")
		f.StringVar(&o.plots, "plots", "", "")
		f.StringVar(&o.format, "format", "svg", "")
	}
	if verb == "" {
		f.Func("rounds", "", number(&o.rounds))
		f.Func("seconds", "", number(&o.seconds))
		f.StringVar(&o.trackers, "trackers", "", "")
		f.StringVar(&o.workloads, "workloads", "", "")
		f.Func("program", "", func(s string) error { o.programs = append(o.programs, s); return nil })
		f.BoolVar(&o.version, "version", false, "")
		f.BoolVar(&o.version, "v", false, "")
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.files = f.Args()
	if o.version {
		return &o, nil
	}
	if verb != "compare" {
		if err := bench.CheckFormat(o.format); err != nil {
			return nil, err
		}
	}
	for _, name := range o.files[min(1, len(o.files)):] {
		if len(name) > 1 && name[0] == '-' {
			return nil, fmt.Errorf("%s: options go before the files", name)
		}
	}
	switch {
	case verb == "" && len(o.files) != 1:
		return nil, fmt.Errorf("needs one plan, has %d", len(o.files))
	case verb == "compare" && len(o.files) != 2:
		return nil, fmt.Errorf("compare needs two results, has %d", len(o.files))
	case verb == "report" && len(o.files) == 0:
		return nil, errors.New("report needs at least one result")
	}
	return &o, nil
}

func number(to *int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 86400 {
			return errors.New("needs a whole number of at least 1")
		}
		*to = n
		return nil
	}
}

// checkFiles reports whether the files that were asked for can be written.
func (o *options) checkFiles() error {
	if err := files.CheckWritable(o.json, o.markdown); err != nil {
		return err
	}
	if o.plots != "" {
		return os.MkdirAll(o.plots, 0o755)
	}
	return nil
}
