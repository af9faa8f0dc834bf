package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStalledLoop stops one event loop of the real binary, as a debugger stops a
// thread. Its operator has to see which one it is, and that it is well again once
// it goes on.
func TestStalledLoop(t *testing.T) {
	t.Parallel() // it lasts as long as a loop may be away
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "spate.toml")
	writeFile(t, file, fmt.Sprintf(`
socket_workers = 2
[network]
address_ipv4 = "127.0.0.1:0"
use_ipv6 = false
[admin]
address = "unix:%s"
`, socket))
	tr := launch(t, exec.Command(realBinary(t), "-c", file))
	admin := &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	defer admin.CloseIdleConnections()
	if status, body := ask(t, admin, "/health"); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, body)
	}

	resume := stopLoop(t, tr.cmd.Process.Pid)
	body := awaitHealth(t, admin, http.StatusServiceUnavailable)
	which := regexp.MustCompile(`"Event loop ([01]) has not answered for \d+s\."`).FindStringSubmatch(body)
	if which == nil || !strings.Contains(body, `"status": "stuck"`) || !strings.Contains(body, `"live": false`) {
		t.Fatalf("stalled: %s", body)
	}
	if status, body := ask(t, admin, "/health/live"); status != http.StatusServiceUnavailable {
		t.Errorf("/health/live: %d %s", status, body)
	}
	stalls := loopStalls(t, admin)
	other := map[string]string{"0": "1", "1": "0"}[which[1]]
	if stalls[which[1]] < 10 || stalls[other] >= stalls[which[1]]/2 {
		t.Errorf("loop %s stalls, the metric says %v", which[1], stalls)
	}

	resume()
	awaitHealth(t, admin, http.StatusOK)
	if stalls := loopStalls(t, admin); stalls[which[1]] >= 10 {
		t.Errorf("the loop goes on, the metric says %v", stalls)
	}
}

// ask returns the status and the body of a page of the operator's listener.
func ask(t *testing.T, admin *http.Client, path string) (int, string) {
	t.Helper()
	reply, err := admin.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(body)
}

// awaitHealth asks until /health answers with a status, and returns its body.
func awaitHealth(t *testing.T, admin *http.Client, status int) string {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		got, body := ask(t, admin, "/health")
		if got == status {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %d: %d %s", status, got, body)
		}
	}
}

// loopStalls returns the seconds that the metric says of each loop.
func loopStalls(t *testing.T, admin *http.Client) map[string]float64 {
	t.Helper()
	_, text := ask(t, admin, "/metrics")
	stalls := map[string]float64{}
	for _, m := range regexp.MustCompile(`(?m)^spate_loop_stall_seconds\{loop="(\d+)"\} (\S+)$`).FindAllStringSubmatch(text, -1) {
		seconds, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Error(err)
		}
		stalls[m[1]] = seconds
	}
	if len(stalls) != 2 {
		t.Fatalf("the metric is there for %v", stalls)
	}
	return stalls
}

// stopLoop stops the thread of one event loop, and returns what lets it go on.
// The system's calls that stop and resume a thread have to come from one thread
// of ours.
func stopLoop(t *testing.T, pid int) (resume func()) {
	t.Helper()
	stopped, goOn, gone := make(chan error), make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid, err := seizeLoop(pid)
		stopped <- err
		if err != nil {
			return
		}
		<-goOn
		gone <- unix.PtraceDetach(tid)
	}()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	running := false
	resume = func() {
		if running {
			return
		}
		running = true
		close(goOn)
		if err := <-gone; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(resume)
	return resume
}

// seizeLoop stops a thread of the process where it waits in an event loop, and
// returns its number.
func seizeLoop(pid int) (tid int, err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return 0, err
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil {
				return 0, err
			}
			if !waitsInLoop(pid, tid) {
				continue
			}
			if err := seize(tid); err != nil {
				return 0, err
			}
			if waitsInLoop(pid, tid) {
				return tid, nil
			}
			if err := unix.PtraceDetach(tid); err != nil { // it had gone on in between
				return 0, err
			}
		}
	}
	return 0, errors.New("no thread waits in an event loop")
}

// seize stops a thread.
func seize(tid int) error {
	if err := unix.PtraceSeize(tid); err != nil {
		return fmt.Errorf("PTRACE_SEIZE: %w", err)
	}
	if err := unix.PtraceInterrupt(tid); err != nil {
		return fmt.Errorf("PTRACE_INTERRUPT: %w", err)
	}
	var status unix.WaitStatus
	_, err := unix.Wait4(tid, &status, unix.WALL, nil)
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Wait4(tid, &status, unix.WALL, nil)
	}
	if err != nil || !status.Stopped() {
		return fmt.Errorf("waiting for the thread to stop: %v, %w", status, err)
	}
	return nil
}

// waitsInLoop reports whether a thread waits for events of an event loop's
// sockets: in a wait that the Go scheduler knows of, which an idle loop soon
// makes (loop.Poller). Stopped in another one it would hold the others up too.
func waitsInLoop(pid, tid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", pid, tid))
	if err != nil {
		return false // the thread has ended
	}
	var number, poller, events, most, timeout int64
	if n, _ := fmt.Sscanf(string(line), "%d %v %v %v %v", &number, &poller, &events, &most, &timeout); n < 5 || number != unix.SYS_EPOLL_PWAIT {
		return false
	}
	const longDoze = 100 // ms
	if timeout < longDoze || timeout > int64(time.Minute/time.Millisecond) {
		return false
	}
	watched, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, poller))
	return err == nil && listens(pid, string(watched))
}

// listens reports whether an epoll set, as fdinfo shows it, holds a listening
// socket of TCP: Go's own set has only the operator's. The socket itself is asked:
// the table of all sockets takes seconds to read beside others' load tests.
func listens(pid int, watched string) bool {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(process)
	for _, m := range regexp.MustCompile(`(?m)^tfd:\s*(\d+)`).FindAllStringSubmatch(watched, -1) {
		theirs, err := strconv.Atoi(m[1])
		if err != nil {
			continue
		}
		fd, err := unix.PidfdGetfd(process, theirs, 0)
		if err != nil {
			continue // closed meanwhile
		}
		listening, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		family, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		unix.Close(fd)
		if listening == 1 && family == unix.AF_INET {
			return true
		}
	}
	return false
}
