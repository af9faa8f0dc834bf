package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stopDeadline is how long a program may take to leave after its signal. BitTorrent
// clients tell the tracker before they go.
const stopDeadline = 30 * time.Second

// logTail is how much of a program's output a failed test shows.
const logTail = 4 << 10

// A Process is a program that runs on a host.
type Process struct {
	Name string

	cmd    *exec.Cmd
	log    string // file with its standard output and error
	exited chan struct{}
	err    error // of Wait, once exited is closed
}

// Command describes a program to run.
type Command struct {
	Path  string     // name or path of the program
	Args  []string   // without the program itself
	Home  string     // directory for HOME and the XDG directories; also the working directory
	Env   []string   // in addition, as name=value
	Files []*os.File // which the program has as descriptors from 3 on
}

// Start runs a program on the host. It is killed when the test ends, unless it
// has been stopped before; where the test failed, the end of its output is shown.
func (h *Host) Start(t testing.TB, c Command) *Process {
	t.Helper()
	if _, err := exec.LookPath(c.Path); err != nil {
		t.Fatalf("%s is not installed, and the tests need it: %v", c.Path, err)
	}
	p := &Process{
		Name:   filepath.Base(c.Path) + "@" + h.Name,
		exited: make(chan struct{}),
		log:    filepath.Join(c.Home, filepath.Base(c.Path)+".log"),
	}
	out, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.cmd = h.command(c)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", p.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		select {
		case <-p.exited:
		default:
			// With all that it has started: nginx, killed, leaves its workers.
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		}
		<-p.exited
		if t.Failed() {
			t.Logf("%s said:\n%s", p.Name, p.tail())
		}
	})
	return p
}

// Run runs a program on the host and waits for it; a status other than 0 fails
// the test. It returns what the program wrote to standard output and error.
func (h *Host) Run(t testing.TB, path string, args ...string) string {
	t.Helper()
	out, err := h.command(Command{Path: path, Args: args, Home: t.TempDir()}).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s on %s: %v\n%s", path, strings.Join(args, " "), h.Name, err, out)
	}
	return string(out)
}

// command prepares a program. Its environment is made from nothing: a proxy
// variable or a configuration of the machine's user must not reach a client.
func (h *Host) command(c Command) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", h.namespace, c.Path}, c.Args...)...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TERM=dumb", "HOME=" + c.Home,
		"XDG_CONFIG_HOME=" + c.Home, "XDG_DATA_HOME=" + c.Home, "XDG_CACHE_HOME=" + c.Home,
	}, c.Env...)
	cmd.Dir = c.Home
	cmd.ExtraFiles = c.Files
	return cmd
}

// Signal sends the program a signal.
func (p *Process) Signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Errorf("sending %v to %s: %v", sig, p.Name, err)
	}
}

// Stop sends sig and waits until the program has gone. It returns what Wait says
// of the exit: nil for status 0.
func (p *Process) Stop(t testing.TB, sig os.Signal) error {
	t.Helper()
	p.Signal(t, sig)
	select {
	case <-p.exited:
		return p.err
	case <-time.After(stopDeadline):
		t.Fatalf("%s did not leave within %v of %v", p.Name, stopDeadline, sig)
		return nil
	}
}

// Err returns an error as soon as the program has ended, which nobody told it to.
func (p *Process) Err() error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s ended by itself (%v)", p.Name, p.err)
	default:
		return nil
	}
}

// Done returns a channel that is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.exited }

// Log returns all that the program has written to its standard output and error.
func (p *Process) Log(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Pid returns the program's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

func (p *Process) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(data) > logTail {
		data = data[len(data)-logTail:]
	}
	return strings.ToValidUTF8(string(bytes.TrimSpace(data)), "?")
}
