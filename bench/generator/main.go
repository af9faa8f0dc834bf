//go:build linux

// Command generator measures the load generator: how many requests spate-load makes
// and judges in a second of its own CPU time, against wrk with prepared requests,
// which reads no more of a reply than its length. Both load the bare loop of
// bench/floor over kept connections, in turn; server and generator have a core each.
//
//	go run ./bench/generator        needs wrk, taskset and Go on the PATH
//
// A generator's start, in which wrk makes its requests, is not counted: what is
// reported is the difference between a long run and a short one.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// short is the length of the run that is taken off the long one, in seconds.
const short = 1

// used is what one run of a generator came to.
type used struct {
	requests float64
	cpu      time.Duration
}

type setting struct {
	dir     string // of the built programs and files
	address string
	cores   [2]string // of the server and of the generator
}

func main() {
	rounds := flag.Int("rounds", 5, "`rounds` in which each generator is measured once")
	seconds := flag.Int("seconds", 5, "`seconds` of load in each measurement")
	server := flag.String("server", "0", "`core` of the server")
	generator := flag.String("generator", "1", "`core` of the generators")
	flag.Parse()
	if err := run(*rounds, *seconds, [2]string{*server, *generator}, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "generator:", err)
		os.Exit(1)
	}
}

func run(rounds, seconds int, cores [2]string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "generator")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir, "./bench/floor", "./cmd/spate-load")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building, which works in the repository only: %w", err)
	}
	s := setting{dir: dir, cores: cores}
	stop, err := s.serve()
	if err != nil {
		return err
	}
	defer stop()
	var ratios, wrks, loads []float64
	for range rounds {
		wrk, err := s.rate(s.wrk, seconds)
		if err != nil {
			return err
		}
		load, err := s.rate(s.load, seconds)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "wrk %8.0f  spate-load %8.0f requests in a second of CPU time: %.2f\n", wrk, load, load/wrk)
		ratios, wrks, loads = append(ratios, load/wrk), append(wrks, wrk), append(loads, load)
	}
	fmt.Fprintf(out, "median: wrk %.0f, spate-load %.0f, ratio %.2f (%.2f to %.2f)\n",
		median(wrks), median(loads), median(ratios), slices.Min(ratios), slices.Max(ratios))
	return nil
}

// serve starts the bare loop and returns what ends it.
func (s *setting) serve() (stop func(), err error) {
	cmd := exec.Command("taskset", "-c", s.cores[0], filepath.Join(s.dir, "floor"), "-body", "415")
	cmd.Stderr = os.Stderr
	lines, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	said := make([]byte, 128)
	n, err := lines.Read(said)
	address, ok := strings.CutPrefix(strings.TrimSpace(string(said[:n])), "listening on ")
	if err != nil || !ok {
		stop()
		return nil, fmt.Errorf("the bare loop said %q: %w", said[:n], err)
	}
	s.address = address
	return stop, nil
}

// rate returns how many requests a generator makes in a second of its CPU time.
func (s *setting) rate(generate func(seconds int) (used, error), seconds int) (float64, error) {
	start, err := generate(short)
	if err != nil {
		return 0, err
	}
	whole, err := generate(seconds + short)
	if err != nil {
		return 0, err
	}
	return (whole.requests - start.requests) / (whole.cpu - start.cpu).Seconds(), nil
}

// generate runs a generator on its core and returns what it wrote.
func (s *setting) generate(args ...string) ([]byte, time.Duration, error) {
	cmd := exec.Command("taskset", append([]string{"-c", s.cores[1]}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, 0, fmt.Errorf("%s: %w\n%s", args[0], err, &out)
	}
	return out.Bytes(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

var requestsLine = regexp.MustCompile(`(\d+) requests in`)

func (s *setting) wrk(seconds int) (used, error) {
	out, cpu, err := s.generate("wrk", "-t1", "-c64", "-d", strconv.Itoa(seconds)+"s",
		"-s", "bench/http/announce.lua", "http://"+s.address, "--", "keep", "even")
	if err != nil {
		return used{}, err
	}
	m := requestsLine.FindSubmatch(out)
	if m == nil {
		return used{}, fmt.Errorf("wrk counted no requests:\n%s", out)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	return used{n, cpu}, err
}

func (s *setting) load(seconds int) (used, error) {
	path := filepath.Join(s.dir, "load.toml")
	config := fmt.Sprintf(`server_address = %q
num_connections = 64
connection_creation_interval_ms = 0
duration = %d
enable_tls = false
torrents = {number_of_torrents = 200, distribution = "even"}
mix = {client = "transmission", numwant = [50]}
`, s.address, seconds)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return used{}, err
	}
	out, cpu, err := s.generate(filepath.Join(s.dir, "spate-load"), "-c", path, "--json")
	if err != nil {
		return used{}, err
	}
	var report struct {
		Responses map[string]float64 `json:"responses"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return used{}, err
	}
	return used{report.Responses["announce"], cpu}, nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
