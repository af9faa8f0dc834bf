//go:build linux

// Command crowd measures what a crowd of other connections does to the normal
// ones: how long announces take that each have a connection of their own, at a
// steady rate, while nobody else is there, while many idle kept connections are
// open, and while many slow clients send their request byte by byte. The three
// take turns.
//
//	go run ./bench/crowd -address 127.0.0.1:3000 -pid $(pidof spate)
//
// The server must not limit the connections of one address. It needs as many
// descriptors as the crowd is large, and so does this program.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// settings are the flags.
type settings struct {
	address  string
	pid      int
	idle     int
	dribble  int
	every    time.Duration
	rate     int
	duration time.Duration
	rounds   int
}

func main() {
	var s settings
	flag.StringVar(&s.address, "address", "127.0.0.1:3000", "IPv4 `address` of the server")
	flag.IntVar(&s.pid, "pid", 0, "process `id` of the server, to tell its memory")
	flag.IntVar(&s.idle, "idle", 15_000, "idle kept connections")
	flag.IntVar(&s.dribble, "dribble", 10_000, "connections that send a byte at a time")
	flag.DurationVar(&s.every, "every", 5*time.Second, "time between two bytes of one")
	flag.IntVar(&s.rate, "rate", 2000, "announces a second")
	flag.DurationVar(&s.duration, "time", 5*time.Second, "length of one measurement")
	flag.IntVar(&s.rounds, "rounds", 3, "times that each is measured")
	flag.Parse()
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

func (s *settings) run() error {
	to, err := netip.ParseAddrPort(s.address)
	if err != nil {
		return err
	}
	fmt.Printf("| crowd | answered | failed | p50 ms | p99 ms | p99.9 ms | max ms | server's anonymous memory, MiB |\n|---|---|---|---|---|---|---|---|\n")
	for range s.rounds {
		s.measure("nobody")
		if s.idle > 0 {
			c, err := openCrowd(to, s.idle, idleRequest, true)
			if err != nil {
				return err
			}
			s.measure(fmt.Sprintf("%d idle", s.idle))
			c.close()
		}
		if s.dribble > 0 {
			c, err := openCrowd(to, s.dribble, "G", false)
			if err != nil {
				return err
			}
			stop := c.dribble(s.every)
			s.measure(fmt.Sprintf("%d dribbling", s.dribble))
			stop()
			fmt.Printf("<!-- %d of %d dribbling connections were closed by the server -->\n", c.gone(), s.dribble)
			c.close()
		}
	}
	s.measure("nobody, after all")
	return nil
}

// measure announces at the steady rate and prints a row. A latency counts from
// when the announce was due, so that a stall is not hidden by what it delays.
func (s *settings) measure(name string) {
	n := int(float64(s.rate) * s.duration.Seconds())
	latencies := make([]time.Duration, n)
	var next, failed atomic.Int64
	var all sync.WaitGroup
	start := time.Now().Add(10 * time.Millisecond)
	for range 200 {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				due := start.Add(time.Duration(i) * time.Second / time.Duration(s.rate))
				time.Sleep(time.Until(due))
				if s.announce(i) != nil {
					failed.Add(1)
				}
				latencies[i] = time.Since(due)
			}
		})
	}
	all.Wait()
	slices.Sort(latencies)
	at := func(q float64) float64 { return float64(latencies[int(q*float64(n-1))]) / float64(time.Millisecond) }
	fmt.Printf("| %s | %d | %d | %.2f | %.2f | %.2f | %.2f | %.1f |\n", name, n-int(failed.Load()), failed.Load(),
		at(0.5), at(0.99), at(0.999), at(1), memory(s.pid))
}

// announce asks once on a connection of its own.
func (s *settings) announce(i int) error {
	c, err := net.DialTimeout("tcp4", s.address, 10*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprintf(c, announceRequest, i%250, 1024+i%60000, i); err != nil {
		return err
	}
	reply, err := io.ReadAll(c)
	if err == nil && len(reply) < 20 {
		err = io.ErrUnexpectedEOF
	}
	return err
}
