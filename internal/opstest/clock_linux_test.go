//go:build amd64 || arm64

package opstest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A wallClock is the time of day that a supervised program sees.
type wallClock struct {
	offset atomic.Int64  // to the machine's
	reads  atomic.Uint64 // how often it was asked for
}

func (w *wallClock) supervisor() *supervisor {
	return &supervisor{
		watch:     []watched{{call: unix.SYS_CLOCK_GETTIME, arg: 0, value: unix.CLOCK_REALTIME}},
		decide:    w.tell,
		slowClock: true,
	}
}

// tell writes the time into the struct timespec of who asked.
func (w *wallClock) tell(n *notification) verdict {
	w.reads.Add(1)
	at := time.Now().Add(time.Duration(w.offset.Load()))
	spec := binary.NativeEndian.AppendUint64(nil, uint64(at.Unix()))
	spec = binary.NativeEndian.AppendUint64(spec, uint64(at.Nanosecond()))
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", n.PID), os.O_WRONLY, 0)
	if err != nil {
		return verdict{errno: unix.EFAULT}
	}
	defer memory.Close()
	if _, err := memory.WriteAt(spec, int64(n.Args[1])); err != nil {
		return verdict{errno: unix.EFAULT}
	}
	return verdict{}
}

const clockYear = 365 * 24 * time.Hour

// clockTracker has a listener more, whose clients have addresses that limits hold for.
// Its numbers are max_peer_age, and the timeouts.
const clockTracker = bothDrivers + `
[[listeners]]
address = "127.0.0.1:0"
proxy = "header"
[limits]
head_timeout = %[2]d
requests_per_second_per_ip = 1
request_burst_per_ip = 60
[cleaning]
torrent_cleaning_interval = 1
max_peer_age = %[1]d
max_connection_idle = %[2]d
[admin]
address = "unix:%[3]s"
`

// A stepped is a tracker with a clock that steps, and what was going on when it
// did.
type stepped struct {
	*tracker
	wallClock
	admin string
	ports []string
	kept  []line     // an idle connection of each driver
	heads []net.Conn // the same, with half a request
}

// startStepped starts a tracker that knows one peer, opens connections, and lets
// the clock step.
func startStepped(t *testing.T, peerAge, timeout int, by time.Duration) *stepped {
	t.Helper()
	dir := t.TempDir()
	s := &stepped{admin: filepath.Join(shortDir(t), "admin")}
	certificate(t, dir)
	write(t, filepath.Join(dir, "spate.toml"), fmt.Sprintf(clockTracker, peerAge, timeout, s.admin))
	s.tracker = launchTracker(t, dir, "spate.toml", s.supervisor().start)
	if s.ports = submatches(read(t, s.log), `address=127\.0\.0\.1:(\d+)`); len(s.ports) != 3 {
		t.Fatalf("the ports are %v", s.ports)
	}
	for i, wrap := range []func(net.Conn) net.Conn{func(c net.Conn) net.Conn { return c }, insecureTLS} {
		l := line{Conn: wrap(dialPort(t, s.ports[i]))}
		if body, err := l.ask(announcePath(6001)); err != nil || !strings.Contains(body, "10:incompletei1e") {
			t.Fatalf("read %q: %v", body, err)
		}
		s.kept = append(s.kept, l)
		head := wrap(dialPort(t, s.ports[i]))
		if _, err := io.WriteString(head, "GET /scrape?info_hash=AAAAAAAAAAAAAAAAAAAA HT"); err != nil {
			t.Fatal(err)
		}
		s.heads = append(s.heads, head)
	}
	s.spend(t)
	s.offset.Store(int64(by))
	// The tracker has seen it when a line of its log has the new time.
	if err := unix.Kill(s.pid, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	stamp := "time=" + time.Now().Add(by).UTC().Format("2006-01")
	eventually(t, "a line of the log with "+stamp, func() bool { return strings.Contains(read(t, s.log), stamp) })
	return s
}

// spend announces for one client until it is over its rate, and returns how
// often it was answered before that.
func (s *stepped) spend(t *testing.T) (answered int) {
	t.Helper()
	l := line{Conn: dialPort(t, s.ports[2])}
	for {
		body, err := l.ask(announcePath(6001), "X-Forwarded-For: 8.8.8.8")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(body, "failure reason") {
			return answered
		}
		answered++
	}
}

// peers returns how many there are.
func (s *stepped) peers(t *testing.T) int {
	t.Helper()
	return counterOf(t, getUnix(t, s.admin, "/metrics"), `spate_peers{family="ipv4"}`)
}

// TestClockStepsForward: a year that was none makes nothing old.
func TestClockStepsForward(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s := startStepped(t, 3600, 3600, clockYear)
	if n, seconds := s.spend(t), int(time.Since(began).Seconds()); n > seconds+1 {
		t.Errorf("%d announces were let in within %d s, at a limit of one a second", n, seconds)
	}
	sweeps := counterOf(t, getUnix(t, s.admin, "/metrics"), "spate_sweeps_total")
	eventually(t, "two sweeps", func() bool {
		return counterOf(t, getUnix(t, s.admin, "/metrics"), "spate_sweeps_total") >= sweeps+2
	})
	if n := s.peers(t); n != 2 {
		t.Errorf("%d peers are left, want 2", n)
	}
	for i := range s.kept {
		if body, err := s.kept[i].ask(announcePath(6001)); err != nil || !strings.HasPrefix(body, "d8:complete") {
			t.Errorf("kept connection %d read %q: %v", i, body, err)
		}
		if _, err := io.WriteString(s.heads[i], "TP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(s.heads[i]); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 OK\r\n") {
			t.Errorf("the other half of head %d read %q: %v", i, got, err)
		}
	}
}

// TestClockStepsBack: a year that comes again delays nothing.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	s := startStepped(t, 2, 2, -clockYear)
	for i := range s.kept {
		for what, c := range map[string]net.Conn{"idle connection": s.kept[i].Conn, "connection with half a head": s.heads[i]} {
			if got, err := io.ReadAll(c); isTimeout(err) {
				t.Errorf("%s %d does not end, it read %q", what, i, got)
			}
		}
	}
	eventually(t, "the end of both peers", func() bool { return s.peers(t) == 0 })
	eventually(t, "an announce within the rate", func() bool { return s.spend(t) > 0 })
	s.stop() // as fast as ever, with status 0
}

// TestServingReadsNoWallClock: nothing on the way of a plain request depends on
// the time of day, since nothing asks for it.
func TestServingReadsNoWallClock(t *testing.T) {
	t.Parallel()
	const connections, requests = 50, 40
	dir := t.TempDir()
	write(t, filepath.Join(dir, "spate.toml"), "[network]\nuse_ipv6 = false\naddress_ipv4 = \"127.0.0.1:0\"\n[cleaning]\ntorrent_cleaning_interval = 600\n")
	var w wallClock
	tr := launchTracker(t, dir, "spate.toml", w.supervisor().start)
	if w.reads.Load() == 0 {
		t.Fatal("the tracker has a log without asking for the time: it has another clock")
	}
	before := w.reads.Load()
	for range connections {
		l := line{Conn: dialPort(t, tr.port4)}
		for i := range requests {
			if _, err := l.ask(announcePath(1 + i)); err != nil {
				t.Fatal(err)
			}
		}
		_ = l.Close()
	}
	// Timers that tick meanwhile ask for it.
	if n := w.reads.Load() - before; n > connections {
		t.Errorf("the time was asked for %d times in %d requests on %d connections", n, connections*requests, connections)
	}
}
