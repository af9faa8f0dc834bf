//go:build linux

package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

//go:embed swarm.lua
var swarmScript []byte

// swarmConfig takes the peers' addresses from X-Forwarded-For.
const swarmConfig = `socket_workers = 1
[network]
use_ipv6 = false
address_ipv4 = "%A"
runs_behind_reverse_proxy = true
`

const (
	// maxSwarm is how many peers swarm.lua has addresses for.
	maxSwarm = 1 << 24
	// fillBatch is how many announces of filling are on their way at once.
	fillBatch = 256
)

// A filled is a tracker with one swarm in it.
type filled struct {
	contender
	peers   int
	cmd     *exec.Cmd
	address string
}

// measureSwarms compares what an announce costs in swarms of several sizes. Each has a
// tracker of its own, that is filled once and then measured in turn with the others, on
// 64 kept connections. Nothing changes but when a random peer was last heard of.
func (s *settings) measureSwarms(sizes []string) error {
	var all []*filled
	defer func() {
		for _, f := range all {
			stop(f.cmd)
		}
	}()
	for _, size := range sizes {
		peers, err := strconv.Atoi(size)
		if err != nil || peers < 1 || peers > maxSwarm {
			return fmt.Errorf("-swarms: %q is no number of peers from 1 to %d", size, maxSwarm)
		}
		c, err := s.tracker(size+" peers", swarmConfig)
		if err != nil {
			return err
		}
		f := &filled{contender: c, peers: peers}
		if f.cmd, f.address, err = s.start(&f.contender); err != nil {
			return err
		}
		all = append(all, f)
		if err := f.fill(); err != nil {
			return fmt.Errorf("filling %d peers in: %w", peers, err)
		}
	}
	return s.compareSwarms(all)
}

func (s *settings) compareSwarms(all []*filled) error {
	w := workload{name: "one swarm", connections: 64, keep: true}
	results := make([][]result, len(all))
	names := make([]contender, len(all))
	for range s.rounds {
		for i, f := range all {
			r, err := s.cost(f.cmd.Process.Pid, func() (int, string, error) {
				return s.wrk(s.clientCore, w, f.address, s.seconds, "swarm.lua", strconv.Itoa(f.peers))
			})
			if err != nil {
				return err
			}
			names[i] = f.contender
			results[i] = append(results[i], r)
		}
	}
	printTable(w, names, results)
	return nil
}

// fill announces every peer once and asks whether they are all there.
func (f *filled) fill() error {
	conn, err := net.Dial("tcp4", f.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return err
	}
	answers := bufio.NewReaderSize(conn, 1<<16)
	var batch []byte
	for from := 0; from < f.peers; from += fillBatch {
		to := min(from+fillBatch, f.peers)
		batch = batch[:0]
		for i := from; i < to; i++ {
			batch = fmt.Appendf(batch, "GET /announce?info_hash=%020d&peer_id=-qB5040-abcdefghijkl&port=6881&uploaded=0&downloaded=0&left=%d&compact=1&numwant=1 HTTP/1.1\r\nHost: tracker\r\nX-Forwarded-For: 20.%d.%d.%d\r\n\r\n",
				0, i%3, i>>16, i>>8&255, i&255)
		}
		if _, err := conn.Write(batch); err != nil {
			return err
		}
		for range to - from {
			if err := answered(answers); err != nil {
				return err
			}
		}
	}
	return f.holds()
}

// answered reads an answer and reports whether it is one to an announce.
func answered(r *bufio.Reader) error {
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err == nil && !strings.HasPrefix(string(body), "d8:complete") {
		err = fmt.Errorf("answered %q", body)
	}
	return err
}

// holds asks the tracker how many peers it has.
func (f *filled) holds() error {
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s/scrape?info_hash=%020d", f.address, 0), nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-Forwarded-For", "20.0.0.0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	seeders := (f.peers + 2) / 3
	for _, want := range []string{fmt.Sprintf("8:completei%de", seeders), fmt.Sprintf("10:incompletei%de", f.peers-seeders)} {
		if !strings.Contains(string(body), want) {
			return fmt.Errorf("the scrape says %q, and not %q", body, want)
		}
	}
	return nil
}
