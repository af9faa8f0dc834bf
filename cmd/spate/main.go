// Command spate is an HTTP BitTorrent tracker.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"spate/internal/config"
	"spate/internal/daemon"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // a bad configuration, or something that failed
	exitUsage = 2 // an unknown flag or argument
)

// sameSignal is how long after a signal another one is taken for the same:
// timeout(1), for one, signals a process and then its whole group.
const sameSignal = 500 * time.Millisecond

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program without its process.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := fmt.Fprint(stdout, usage)
		return report(stderr, err)
	case err != nil:
		fmt.Fprintf(stderr, "spate: %v\n\n%s", err, usage)
		return exitUsage
	case o.printVersion:
		_, err := fmt.Fprintf(stdout, "spate %s (%s)\n", build().Version, build().Commit)
		return report(stderr, err)
	case o.printConfig:
		return report(stderr, config.WriteDefault(stdout))
	}
	if o.command == commandHealth {
		return health(o, stderr)
	}
	cfg := config.Default()
	if o.configFile != "" {
		if cfg, err = config.Load(o.configFile); err != nil {
			return report(stderr, err)
		}
	}
	if o.printParsed {
		if err := cfg.Write(stdout); err != nil {
			return report(stderr, err)
		}
	}
	if o.command == commandCheck {
		return check(&cfg, stdout, stderr)
	}
	return report(stderr, serve(&cfg, stderr))
}

// report writes an error, one line for each problem, and returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, err)
	return exitError
}

// serve runs the tracker until a signal ends it: the first one lets it finish
// what it has begun, the second one does not.
func serve(cfg *config.Config, stderr io.Writer) error {
	// Without its log the tracker goes on: by default, the first line after the
	// log's reader has ended would end it too.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(sameSignal, stop) })
	requests := make(chan os.Signal, 1)
	signal.Notify(requests, syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGUSR2)
	defer signal.Stop(requests)

	log := daemon.NewLog(cfg, stderr)
	d, err := daemon.New(*cfg, build(), log)
	if err != nil {
		return err
	}
	go func() {
		for s := range requests {
			if s == syscall.SIGUSR2 {
				log.ToggleDebug()
				continue
			}
			_ = d.Reload() // the log has its error
		}
	}()
	// Each event loop keeps its P while it dozes; the rest needs its own.
	runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	return d.Run(ctx)
}
