//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"spate/internal/bench"
)

// A result is one measurement of one server.
type result struct {
	perRequest float64 // µs of the server's CPU time
	rate       float64 // requests a second
	busy       float64 // share of its core that the server was busy for
	peak       int64   // peak resident memory, KiB
	errors     string  // what wrk says of failures
}

var (
	requestsLine = regexp.MustCompile(`(\d+) requests in`)
	errorLines   = regexp.MustCompile(`(?m)^\s*(Socket errors|Non-2xx).*$`)
	peakLine     = regexp.MustCompile(`VmHWM:\s*(\d+) kB`)
)

// warmUp is long enough for every torrent to get its peers.
const warmUp = 2 * time.Second

// measure starts a server, warms it up, loads it and stops it.
func (s *settings) measure(c *contender, w workload) (result, error) {
	cmd, address, err := s.start(c)
	if err != nil {
		return result{}, err
	}
	defer stop(cmd)
	if _, _, err := s.load(c, w, address, warmUp); err != nil {
		return result{}, err
	}
	return s.cost(cmd.Process.Pid, func() (int, string, error) { return s.load(c, w, address, s.seconds) })
}

// cost returns what a process spends while load loads it for the length of a measurement.
func (s *settings) cost(pid int, load func() (n int, failures string, err error)) (result, error) {
	before, err := bench.CPUTime(pid)
	if err != nil {
		return result{}, err
	}
	n, failures, err := load()
	if err != nil {
		return result{}, err
	}
	after, err := bench.CPUTime(pid)
	if err != nil {
		return result{}, err
	}
	used := after - before
	r := result{
		perRequest: float64(used) / float64(time.Microsecond) / float64(n),
		rate:       float64(n) / s.seconds.Seconds(),
		busy:       float64(used) / float64(s.seconds),
		errors:     failures,
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
		if m := peakLine.FindSubmatch(status); m != nil {
			r.peak, _ = strconv.ParseInt(string(m[1]), 10, 64)
		}
	}
	return r, nil
}

// load loads a server for some time, from each of the contender's generators at
// once, and returns the number of its answers.
func (s *settings) load(c *contender, w workload, address string, d time.Duration) (n int, failures string, err error) {
	loads := c.loads
	if loads == nil {
		loads = []int{s.clientCore}
	}
	connection := "close"
	if w.keep {
		connection = "keep"
	}
	var wg sync.WaitGroup
	var mu sync.Mutex // guards the results
	for _, core := range loads {
		wg.Go(func() {
			count, said, e := s.wrk(core, w, address, d, "announce.lua", connection, w.shape)
			mu.Lock()
			defer mu.Unlock()
			n, failures, err = n+count, failures+said, errors.Join(err, e)
		})
	}
	wg.Wait()
	return n, failures, err
}

// wrk loads a server for some time with a script's requests and returns the number of
// its answers.
func (s *settings) wrk(core int, w workload, address string, d time.Duration, script string, args ...string) (int, string, error) {
	cmd := exec.Command("wrk", append([]string{
		"-t1", "-c", strconv.Itoa(w.connections),
		"-d", strconv.Itoa(int(d.Seconds())) + "s",
		"-s", filepath.Join(s.dir, script),
		"http://" + address, "--",
	}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := startOn([]int{core}, cmd); err != nil {
		return 0, "", err
	}
	if err := cmd.Wait(); err != nil {
		return 0, "", fmt.Errorf("wrk: %w\n%s", err, out.Bytes())
	}
	m := requestsLine.FindSubmatch(out.Bytes())
	if m == nil {
		return 0, "", fmt.Errorf("wrk counted no requests:\n%s", out.Bytes())
	}
	n, err := strconv.Atoi(string(m[1]))
	if err == nil && n == 0 {
		err = errors.New("no request was answered")
	}
	return n, string(bytes.Join(errorLines.FindAll(out.Bytes(), -1), []byte("; "))), err
}

// printTable prints a workload's results. Ratios are made within a round and
// then their median is taken, so that a slow spell of the machine hits both
// sides of a ratio.
func printTable(w workload, servers []contender, results [][]result) {
	fmt.Printf("\n### %s (%d connections, %d rounds)\n\n", w.name, w.connections, len(results[0]))
	fmt.Printf("| server | CPU µs per request, median (best) | ÷ %s, median (range) | requests/s | core busy | peak MiB |\n|---|---|---|---|---|---|\n", servers[0].name)
	for i, c := range servers {
		ratios := make([]float64, len(results[i]))
		for j, r := range results[i] {
			ratios[j] = r.perRequest / results[0][j].perRequest
		}
		cost := column(results[i], func(r result) float64 { return r.perRequest })
		slices.Sort(ratios)
		fmt.Printf("| %s | %.2f (%.2f) | %.3f (%.2f–%.2f) | %.0f | %.2f | %.1f |\n", c.name, median(cost), cost[0],
			median(ratios), ratios[0], ratios[len(ratios)-1],
			median(column(results[i], func(r result) float64 { return r.rate })),
			median(column(results[i], func(r result) float64 { return r.busy })),
			float64(results[i][0].peak)/1024)
	}
	for i, c := range servers {
		for _, r := range results[i] {
			if r.errors != "" {
				fmt.Printf("\n%s: %s\n", c.name, r.errors)
				break
			}
		}
	}
}

// column returns one figure of all results, sorted.
func column(results []result, f func(result) float64) []float64 {
	v := make([]float64, len(results))
	for i, r := range results {
		v[i] = f(r)
	}
	slices.Sort(v)
	return v
}

// median returns the median of sorted values.
func median(v []float64) float64 {
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
