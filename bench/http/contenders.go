//go:build linux

package main

import (
	_ "embed"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed announce.lua
var announceScript []byte

// A contender is a server to measure.
type contender struct {
	name    string
	command []string // with %A, %H and %P to be filled in
	config  string   // TOML written to a file whose path stands for %C
	cores   []int    // that it may run on; none means the server's
	loads   []int    // cores that have a generator each; none means the generator's
}

// spateConfig is the tracker with one loop. The generator's address, loopback,
// is exempt from its limits.
const spateConfig = `socket_workers = 1
[network]
use_ipv6 = false
address_ipv4 = "%A"
`

// contenders returns the servers of a workload, the floor first: the others
// are compared with it.
func (s *settings) contenders(w workload) ([]contender, error) {
	var all []contender
	floor, err := s.build("floor")
	if err != nil {
		return nil, err
	}
	// The constant reply has the size of the tracker's: an announce reply with
	// 50 IPv4 peers.
	command := []string{floor, "-address", "%A", "-body", "415"}
	if !w.keep {
		command = append(command, "-close", "-more")
	}
	all = append(all,
		contender{name: "floor", command: command},
		contender{name: "dozing-floor", command: append(slices.Clip(command), "-doze", "20")})
	if s.wants("spate") {
		tracker, err := s.tracker("spate", spateConfig)
		if err != nil {
			return nil, err
		}
		all = append(all, tracker)
	}
	ot := s.opentracker
	if w.keep {
		ot = s.otKeep
	}
	if ot != "" {
		all = append(all, contender{name: "opentracker", command: []string{ot, "-i", "%H", "-p", "%P"}})
	}
	all = append(all, s.extra...)
	return slices.DeleteFunc(all, func(c contender) bool { return !s.wants(c.name) }), nil
}

// tracker returns cmd/spate with a configuration, and builds it where there is no other.
func (s *settings) tracker(name, config string) (c contender, err error) {
	if s.spate == "" {
		if s.spate, err = s.build("../cmd/spate"); err != nil {
			return contender{}, err
		}
	}
	return contender{name: name, command: []string{s.spate, "-c", "%C"}, config: config}, nil
}

func (s *settings) wants(name string) bool {
	return s.only == "" || slices.Contains(strings.Split(s.only, ","), name)
}

// build compiles a command of the bench tree.
func (s *settings) build(name string) (string, error) {
	out := filepath.Join(s.dir, filepath.Base(name))
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	cmd := exec.Command("go", "build", "-o", out, "spate/"+filepath.Join("bench", name))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", name, err, text)
	}
	return out, nil
}

// start runs the server alone on its core and waits until it answers.
func (s *settings) start(c *contender) (*exec.Cmd, string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	address := l.Addr().String()
	_ = l.Close()
	host, port, _ := net.SplitHostPort(address)
	config := filepath.Join(s.dir, "config.toml")
	fill := strings.NewReplacer("%A", address, "%H", host, "%P", port, "%C", config)
	if err := os.WriteFile(config, []byte(fill.Replace(c.config)), 0o644); err != nil {
		return nil, "", err
	}
	args := make([]string, len(c.command))
	for i, a := range c.command {
		args[i] = fill.Replace(a)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.dir
	cores := c.cores
	if cores == nil {
		cores = []int{s.serverCore}
	}
	if err := startOn(cores, cmd); err != nil {
		return nil, "", err
	}
	if err := s.ready(address); err != nil {
		stop(cmd)
		return nil, "", err
	}
	return cmd, address, nil
}

// ready asks until the server answers.
func (s *settings) ready(address string) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var last error
	for range 100 {
		r, err := client.Get("http://" + address + "/announce")
		if err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
			return nil
		}
		last = err
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the server does not answer: %w", last)
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}

// startOn starts a process that may run on some cores only. A child inherits
// the affinity of the thread that forks it.
func startOn(cores []int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, core := range cores {
		some.Set(core)
	}
	if err := unix.SchedSetaffinity(0, &some); err != nil {
		return fmt.Errorf("cores %v: %w", cores, err)
	}
	err := cmd.Start()
	if e := unix.SchedSetaffinity(0, &before); err == nil {
		err = e
	}
	return err
}
