package opstest

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for something that has to happen.
const patience = 30 * time.Second

// bothDrivers begins the configuration of a tracker with a listener for event loops,
// and one for goroutines. It needs a certificate beside it.
const bothDrivers = `
socket_workers = 2
[network]
use_ipv6 = false
address_ipv4 = "127.0.0.1:0"
tls_certificate_path = "cert.pem"
tls_private_key_path = "key.pem"
[[listeners]]
address = "127.0.0.1:0"
tls = true
`

// shortDir returns a directory whose path is short enough for sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "spate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A tracker is a running spate.
type tracker struct {
	pid   int
	log   string       // the path of its log
	stop  func()       // ends it; may be called again
	wait  func() error // waits until it has ended by itself, in place of stop
	port4 string       // the port of its first IPv4 listener, "" without one
	port6 string
}

// startTracker runs the built spate with a configuration file until the test
// ends, and returns once it serves.
func startTracker(t *testing.T, dir, config string) *tracker {
	t.Helper()
	return launchTracker(t, dir, config, (*exec.Cmd).Start)
}

// launchTracker is startTracker with another way to start a program.
func launchTracker(t *testing.T, dir, config string, start func(*exec.Cmd) error) *tracker {
	t.Helper()
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(shortDir(t), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	tr := &tracker{log: log.Name()}
	cmd := exec.Command(filepath.Join(binDir, "spate"), "-c", config)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "NOTIFY_SOCKET="+ready.LocalAddr().String())
	cmd.Stdout, cmd.Stderr = log, log // a file: what it wrote before it was ready is there then
	if err := start(cmd); err != nil {
		t.Fatal(err)
	}
	tr.pid = cmd.Process.Pid
	var once sync.Once
	tr.stop = func() { once.Do(func() { end(t, cmd) }) }
	tr.wait = func() error {
		err := errors.New("somebody waited before")
		once.Do(func() { err = waitFor(cmd) })
		return err
	}
	t.Cleanup(tr.stop)

	if err := ready.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 512)
	for {
		n, err := ready.Read(buf)
		if err != nil {
			t.Fatalf("spate -c %s is not ready: %v\n%s", config, err, read(t, tr.log))
		}
		if bytes.Contains(buf[:n], []byte("READY=1")) {
			break
		}
	}
	tr.port4 = submatch(read(t, tr.log), `address=\d+\.\d+\.\d+\.\d+:(\d+)`)
	tr.port6 = submatch(read(t, tr.log), `address=\[\S*\]:(\d+)`)
	return tr
}

// end ends a program by SIGTERM.
func end(t *testing.T, cmd *exec.Cmd) {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("%s: %v", cmd.Path, err)
	}
	if err := waitFor(cmd); err != nil {
		t.Errorf("%s: %v", cmd.Path, err)
	}
}

// waitFor waits until a program has ended, and kills it after patience.
func waitFor(cmd *exec.Cmd) error {
	killer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }) // it may end first
	defer killer.Stop()
	return cmd.Wait()
}

// submatch returns the first group of a pattern's first match, or "".
func submatch(text, pattern string) string {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

// submatches returns the first group of each of a pattern's matches.
func submatches(text, pattern string) []string {
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}
