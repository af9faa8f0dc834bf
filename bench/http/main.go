//go:build linux

// Command http measures what an HTTP tracker costs: the CPU time of its
// process, user and system, per answered request. The servers are measured in
// turn, round after round, each alone on one core while wrk has another, and
// compared within each round: on a shared or virtual machine an absolute
// figure means nothing and a ratio of neighbours does.
//
//	go run ./bench/http -rounds 5 -time 3s -opentracker PATH
//
// It builds the bare loop (bench/floor) and the tracker (cmd/spate), needs wrk
// on the path and prints a Markdown table for each workload. Every server
// listens on loopback, on a port of its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A workload is one way to load the servers.
type workload struct {
	name        string
	connections int
	keep        bool
	shape       string // even or hot: see announce.lua
}

var workloads = []workload{
	{"close", 64, false, "even"},
	{"keepalive-64", 64, true, "even"},
	{"keepalive-1000", 1000, true, "even"},
	{"hot-close", 64, false, "hot"},
	{"hot-keepalive", 64, true, "hot"},
}

// settings are the flags.
type settings struct {
	rounds      int
	seconds     time.Duration
	chosen      string
	serverCore  int
	clientCore  int
	opentracker string
	otKeep      string
	spate       string
	extra       contenders
	only        string
	twice       bool
	swarms      string
	dir         string // of built binaries and written scripts
}

// contenders are servers given by -server: NAME=COMMAND, with %A for the
// address, %H for the host and %P for the port.
type contenders []contender

func (c *contenders) String() string { return "" }

func (c *contenders) Set(s string) error {
	name, command, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("want NAME=COMMAND")
	}
	*c = append(*c, contender{name: name, command: strings.Fields(command)})
	return nil
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 5, "times that every server is measured")
	flag.DurationVar(&s.seconds, "time", 3*time.Second, "length of one measurement")
	flag.StringVar(&s.chosen, "workloads", "close,keepalive-64,keepalive-1000,hot-close,hot-keepalive", "which ones, separated by commas")
	flag.StringVar(&s.only, "only", "", "names of the servers to measure, separated by commas; empty means all")
	flag.IntVar(&s.serverCore, "server-core", 0, "core of the server")
	flag.IntVar(&s.clientCore, "client-core", 1, "core of the generator")
	flag.StringVar(&s.opentracker, "opentracker", "", "`path` of an opentracker to compare with")
	flag.StringVar(&s.otKeep, "opentracker-keep", "", "`path` of one built with WANT_KEEPALIVE, for kept connections")
	flag.StringVar(&s.spate, "spate", "", "`path` of the tracker; empty builds cmd/spate")
	flag.Var(&s.extra, "server", "`NAME=COMMAND` of one more server; %A, %H and %P stand for address, host and port")
	flag.BoolVar(&s.twice, "twice", false, "compare one loop beside one generator on the server's core with two of each on both cores")
	flag.StringVar(&s.swarms, "swarms", "", "compare announces to swarms of so many `peers`, sizes separated by commas, instead")
	flag.Parse()
	if err := run(&s); err != nil {
		fmt.Fprintln(os.Stderr, "bench/http:", err)
		os.Exit(1)
	}
}

func run(s *settings) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return fmt.Errorf("wrk is needed as the generator: %w", err)
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "bench-http-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	for name, text := range map[string][]byte{"announce.lua": announceScript, "swarm.lua": swarmScript} {
		if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o644); err != nil {
			return err
		}
	}
	if s.swarms != "" {
		return s.measureSwarms(strings.Split(s.swarms, ","))
	}
	names := strings.Split(s.chosen, ",")
	for _, w := range workloads {
		if !slices.Contains(names, w.name) {
			continue
		}
		if err := s.measureWorkload(w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// measureWorkload measures all servers in turn, rounds times, and prints the
// table, or one for each where they are compared with themselves.
func (s *settings) measureWorkload(w workload) error {
	servers, err := s.contenders(w)
	if err != nil {
		return err
	}
	if s.twice {
		for i := range servers {
			if err := s.measureServers(w, s.twiceAsMuch(servers[i])); err != nil {
				return err
			}
		}
		return nil
	}
	return s.measureServers(w, servers)
}

func (s *settings) measureServers(w workload, servers []contender) error {
	results := make([][]result, len(servers))
	for range s.rounds {
		for i := range servers {
			r, err := s.measure(&servers[i], w)
			if err != nil {
				return fmt.Errorf("%s: %w", servers[i].name, err)
			}
			results[i] = append(results[i], r)
		}
	}
	printTable(w, servers, results)
	return nil
}
