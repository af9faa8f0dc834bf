package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a tracker's processes while they are measured.
type server struct {
	address   string
	metrics   string // the URL to scrape, or ""
	processes []*exec.Cmd
	log       output
}

// readyWithin is how long a tracker may take until it accepts connections, and
// stopWithin until it has ended after SIGTERM.
const (
	readyWithin = 20 * time.Second
	stopWithin  = 10 * time.Second
)

// start starts a tracker's processes on the given processors and waits until the
// last one accepts connections.
func (t *Tracker) start(ctx context.Context, dir string, cpus []int) (*server, error) {
	ports, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	s := &server{address: ports[0]}
	host, port, _ := net.SplitHostPort(ports[0])
	config := filepath.Join(dir, t.Name+".conf")
	fill := strings.NewReplacer("{address}", ports[0], "{host}", host, "{port}", port, "{back}", ports[1],
		"{backport}", ports[1][strings.LastIndexByte(ports[1], ':')+1:], "{config}", config, "{dir}", dir, "{cores}", strconv.Itoa(len(cpus)),
		"{hashes}", filepath.Join(dir, hashesFile), "{cert}", filepath.Join(dir, certFile),
		"{key}", filepath.Join(dir, keyFile), "{pem}", filepath.Join(dir, pemFile))
	s.metrics = fill.Replace(t.Scrape)
	if err := os.WriteFile(config, []byte(fill.Replace(t.Config)), 0o600); err != nil {
		return nil, err
	}
	for name, content := range t.Files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), []byte(fill.Replace(content)), 0o600); err != nil {
			return nil, err
		}
	}
	for _, args := range t.Processes {
		var filled []string
		for _, a := range args {
			filled = append(filled, fill.Replace(a))
		}
		program, err := programPath(filled[0])
		if err != nil {
			s.stop()
			return nil, fmt.Errorf("tracker %s: %w", t.Name, err)
		}
		cmd := exec.Command(program, filled[1:]...)
		cmd.Dir = dir
		cmd.Env = os.Environ()
		for _, e := range t.Env {
			cmd.Env = append(cmd.Env, fill.Replace(e))
		}
		cmd.Stdout, cmd.Stderr = &s.log, &s.log
		if err := startOn(cpus, cmd); err != nil {
			s.stop()
			return nil, fmt.Errorf("tracker %s: %w", t.Name, err)
		}
		s.processes = append(s.processes, cmd)
	}
	if err := s.waitReady(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("tracker %s: %w; it said:\n%s", t.Name, err, &s.log)
	}
	return s, nil
}

// programPath returns where a program is, whatever folder it is started in.
func programPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// freeAddresses returns addresses on loopback that nobody listens on now.
func freeAddresses(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out, nil
}

func (s *server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
		if err == nil {
			return conn.Close()
		}
		if program := s.ended(); program != "" {
			return fmt.Errorf("%s has ended instead of serving", program)
		}
		select {
		case <-ctx.Done():
			return errors.New("it does not accept connections")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ended returns the name of a process that has ended by itself, or "".
func (s *server) ended() string {
	for _, cmd := range s.processes {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil || bytes.Contains(status, []byte("\nState:\tZ")) {
			return filepath.Base(cmd.Path)
		}
	}
	return ""
}

// stop ends the processes that start started, and waits for them.
func (s *server) stop() {
	for _, cmd := range s.processes {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, cmd := range s.processes {
		kill := time.AfterFunc(stopWithin, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
	}
}

// startOn starts a process that may run on the given processors only: a child
// inherits the affinity of the thread that forks it.
func startOn(cpus []int, cmd *exec.Cmd) error {
	started := make(chan error, 1)
	go func() {
		// The thread is not unlocked: it ends with the goroutine, and its affinity
		// with it.
		if err := pinThread(cpus); err != nil {
			started <- err
			return
		}
		started <- cmd.Start()
	}()
	return <-started
}

// usage is what processes have taken so far.
type usage struct {
	cpu      time.Duration
	switches uint64 // context switches, voluntary or not
	resident uint64 // bytes
	peak     uint64 // bytes
}

// usage is an error once a process has ended: what its children took is then
// lost, and the load was not that of a tracker that serves.
func (s *server) usage() (usage, error) {
	if program := s.ended(); program != "" {
		return usage{}, fmt.Errorf("%s has ended meanwhile", program)
	}
	var u usage
	for i, pid := range s.pids() {
		// Children may end in between; those that were started, which come first, not.
		if err := u.add(pid); err != nil && i < len(s.processes) {
			return usage{}, err
		}
	}
	return u, nil
}

// pids returns the processes that were started, and then their children, of any
// depth: fronts work in children of their own.
func (s *server) pids() []int {
	var pids []int
	for _, cmd := range s.processes {
		pids = append(pids, cmd.Process.Pid)
	}
	children := childProcesses()
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids
}

// residentOf returns the resident memory of processes, in bytes.
func residentOf(pids []int) uint64 {
	var n uint64
	for _, pid := range pids {
		// The second number is resident pages (proc_pid_statm(5)).
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if words := strings.Fields(string(b)); err == nil && len(words) > 1 {
			pages, _ := strconv.ParseUint(words[1], 10, 64)
			n += pages * uint64(os.Getpagesize())
		}
	}
	return n
}

// childProcesses returns the children of every process.
func childProcesses() map[int][]int {
	children := map[int][]int{}
	paths, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range paths {
		status, err := os.ReadFile(path)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil {
			parent := int(field(status, "PPid:"))
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

// add adds what one process has taken.
func (u *usage) add(pid int) error {
	cpu, err := CPUTime(pid)
	if err != nil {
		return err
	}
	resident, peak, err := Resident(pid)
	if err != nil {
		return err
	}
	u.cpu += cpu
	u.resident += resident
	u.peak += peak
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return err
	}
	for _, path := range threads {
		// A thread may have ended in between.
		if status, err := os.ReadFile(path); err == nil {
			u.switches += field(status, "voluntary_ctxt_switches:") + field(status, "nonvoluntary_ctxt_switches:")
		}
	}
	return nil
}
