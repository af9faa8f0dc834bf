package main

import (
	"flag"
	"fmt"
	"strings"
)

const usage = `Usage: spate [OPTIONS]
       spate check [-c FILE]           check everything without serving
       spate health [-c FILE | URL]    ask a running tracker for its health

Options:
    -c, --config-file FILE    load the configuration from this file
    -p, --print-config        print the default configuration, with comments
    -P, --print-parsed-config print the configuration that was loaded, then go on
    -v, --version             print the version
    -h, --help                print this help

Signals: SIGUSR1 or SIGHUP loads the access list, the certificates and the limits
again, SIGUSR2 switches debug logging on and off, SIGTERM or SIGINT stops; a second
one stops at once, without answers to what was received and without a snapshot.
`

// The subcommands.
const (
	commandServe  = ""
	commandCheck  = "check"
	commandHealth = "health"
)

// options is what the command line says.
type options struct {
	command      string
	url          string // of health
	configFile   string
	printConfig  bool
	printParsed  bool
	printVersion bool
}

// parse reads the command line. Its error is flag.ErrHelp, or says what is
// wrong.
func parse(args []string) (o options, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name, value, hasValue := strings.Cut(arg, "=")
		switch name {
		case "-c", "--config-file", "--config":
			if !hasValue {
				if i++; i == len(args) {
					return options{}, fmt.Errorf("%s needs the path of a file", arg)
				}
				value = args[i]
			}
			if value == "" {
				return options{}, fmt.Errorf("%s needs the path of a file", name)
			}
			o.configFile = value
			continue
		}
		switch {
		case arg == "-p" || arg == "--print-config":
			o.printConfig = true
		case arg == "-P" || arg == "--print-parsed-config":
			o.printParsed = true
		case arg == "-v" || arg == "--version":
			o.printVersion = true
		case arg == "-h" || arg == "--help":
			return options{}, flag.ErrHelp
		case strings.HasPrefix(arg, "-"):
			return options{}, fmt.Errorf("unknown option %s", arg)
		case o.command == "" && (arg == commandCheck || arg == commandHealth):
			o.command = arg
		case o.command == commandHealth && o.url == "":
			o.url = arg
		default:
			if strings.HasSuffix(arg, ".toml") {
				return options{}, fmt.Errorf("unknown argument %q: a configuration file needs -c before it", arg)
			}
			return options{}, fmt.Errorf("unknown argument %q", arg)
		}
	}
	return o, nil
}
