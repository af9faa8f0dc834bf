package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"spate/internal/config"
	"spate/internal/daemon"
)

// healthTimeout bounds the whole of a health check.
const healthTimeout = 5 * time.Second

// check validates a configuration with everything it names and prints advice.
func check(cfg *config.Config, stdout, stderr io.Writer) int {
	advice, err := daemon.Check(*cfg, build())
	for _, line := range advice {
		fmt.Fprintln(stdout, line)
	}
	if err != nil {
		return report(stderr, err)
	}
	_, err = fmt.Fprintln(stdout, "the configuration can be used")
	return report(stderr, err) // who cannot read the advice is not to take it for none
}

// health asks a running tracker, and prints nothing when it is well.
func health(o options, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	if o.url != "" {
		return report(stderr, daemon.AskHealth(ctx, o.url))
	}
	cfg := config.Default()
	if o.configFile != "" {
		var err error
		if cfg, err = config.Load(o.configFile); err != nil {
			return report(stderr, err)
		}
	}
	return report(stderr, daemon.AskHealthOf(ctx, &cfg))
}
