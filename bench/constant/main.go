//go:build linux

// Command constant is the tracker's transport with a handler that answers every
// path with the same bytes: what internal/server adds to the bare loop of
// bench/floor, without what the tracker itself does. Never expose it.
//
// It prints "listening on ADDRESS" and serves until it is killed.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"spate/internal/server"
)

// body is the handler.
type body []byte

func (b body) Handle(_ time.Duration, _ netip.Addr, _, _, dst []byte) ([]byte, bool) {
	return append(dst, b...), true
}

func main() {
	address := flag.String("address", "127.0.0.1:0", "IPv4 `address` to listen on")
	size := flag.Int("body", 400, "`bytes` of the reply's body")
	workers := flag.Int("workers", 1, "event loops")
	goroutines := flag.Bool("goroutines", false, "the goroutine driver instead of event loops")
	flag.Parse()
	if err := run(*address, *size, *workers, *goroutines); err != nil {
		fmt.Fprintln(os.Stderr, "constant:", err)
		os.Exit(1)
	}
}

func run(address string, size, workers int, goroutines bool) error {
	cfg := server.Config{
		Listeners: []server.Listener{{Network: server.NetworkTCP4, Address: address}},
		Workers:   workers,
		KeepAlive: true,
		Limits:    server.DefaultLimits(),
	}
	if goroutines {
		cfg.Driver = server.DriverGoroutine
	}
	s, err := server.New(cfg, func() server.Handler { return make(body, size) }, nil)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", s.Addrs()[0])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return s.Run(ctx)
}
