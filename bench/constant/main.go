//go:build linux

// Command constant is the tracker's transport with a handler that answers every
// path with the same bytes: what internal/server adds to the bare loop of
// bench/floor, without what the tracker itself does. Never expose it.
//
// It prints "listening on ADDRESS" and serves until it is told to stop.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"spate/internal/server"
)

// handler answers every path with the body, after some work.
type handler struct {
	body []byte
	work time.Duration
}

func (h *handler) Handle(_ time.Duration, _ netip.Addr, _, _, dst []byte) ([]byte, bool) {
	if h.work > 0 {
		for start := time.Now(); time.Since(start) < h.work; {
		}
	}
	return append(dst, h.body...), true
}

// options are the flags.
type options struct {
	address    string
	body       int
	workers    int
	work       time.Duration
	goroutines bool
	loops      bool
}

func main() {
	var o options
	flag.StringVar(&o.address, "address", "127.0.0.1:0", "IPv4 `address` to listen on")
	flag.IntVar(&o.body, "body", 400, "`bytes` of the reply's body")
	flag.IntVar(&o.workers, "workers", 1, "event loops")
	flag.DurationVar(&o.work, "work", 0, "CPU time to burn for each request")
	flag.BoolVar(&o.goroutines, "goroutines", false, "the goroutine driver instead of event loops")
	flag.BoolVar(&o.loops, "loops", false, "print every second how the loops are")
	flag.Parse()
	if err := run(&o); err != nil {
		fmt.Fprintln(os.Stderr, "constant:", err)
		os.Exit(1)
	}
}

func run(o *options) error {
	cfg := server.Config{
		Listeners: []server.Listener{{Network: server.NetworkTCP4, Address: o.address}},
		Workers:   o.workers,
		KeepAlive: true,
		Limits:    server.DefaultLimits(),
	}
	if o.goroutines {
		cfg.Driver = server.DriverGoroutine
	}
	s, err := server.New(cfg, func() server.Handler { return &handler{body: make([]byte, o.body), work: o.work} }, nil)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", s.Addrs()[0])
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + o.workers) // as the daemon does: see docs/adr/0051
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.loops {
		go report(s)
	}
	return s.Run(ctx)
}

// report prints how the loops are, for as long as the process lives.
func report(s *server.Server) {
	for range time.Tick(time.Second) {
		for i, l := range s.Stats().Loops {
			fmt.Printf("loop %d: %3.0f %% busy, %d connections\n", i, 100*l.Busy, l.Connections())
		}
	}
}
