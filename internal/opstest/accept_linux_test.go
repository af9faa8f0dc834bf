//go:build amd64 || arm64

package opstest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An acceptFault lets accept4 fail on the listening sockets of one port.
type acceptFault struct {
	mu     sync.Mutex // guards what follows
	pid    int
	ports  map[uint64]uint16 // of listening sockets, by descriptor
	port   uint16            // whose calls fail
	always unix.Errno        // how they fail, 0 for not
	once   []unix.Errno      // how the next ones fail, before that
	failed map[uint64][]time.Time
	known  bool
	steady chan struct{} // closed when one socket has failed steadyFails times: then its pace is known
}

// steadyFails is how many failures of one socket show at what pace it tries.
const steadyFails = 11

func (f *acceptFault) decide(n *notification) verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.port == 0 || f.portOf(n.Args[0]) != f.port:
	case len(f.once) > 0:
		return verdict{errno: f.once[0]}
	case f.always != 0:
		return verdict{errno: f.always}
	}
	return verdict{pass: true}
}

func (f *acceptFault) done(n *notification, v verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case v.pass:
	case len(f.once) > 0:
		f.once = f.once[1:]
	default:
		fd := n.Args[0]
		f.failed[fd] = append(f.failed[fd], time.Now())
		if len(f.failed[fd]) == steadyFails && !f.known {
			f.known = true
			close(f.steady)
		}
	}
}

// portOf returns the port that a descriptor of the tracker listens on, 0 for
// one that is not TCP's.
func (f *acceptFault) portOf(fd uint64) uint16 {
	if port, known := f.ports[fd]; known {
		return port
	}
	pidfd, err := unix.PidfdOpen(f.pid, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(pidfd)
	copied, err := unix.PidfdGetfd(pidfd, int(fd), 0)
	if err != nil {
		return 0
	}
	defer unix.Close(copied)
	name, err := unix.Getsockname(copied)
	if err != nil {
		return 0
	}
	if a, ok := name.(*unix.SockaddrInet4); ok {
		f.ports[fd] = uint16(a.Port)
	} else {
		f.ports[fd] = 0
	}
	return f.ports[fd]
}

// fail lets calls fail from now on: once each as once says, and then always.
func (f *acceptFault) fail(port uint16, always unix.Errno, once ...unix.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.port, f.always, f.once = port, always, once
	f.failed, f.known, f.steady = map[uint64][]time.Time{}, false, make(chan struct{})
}

// await waits until the pace of failures is known.
func (f *acceptFault) await(t *testing.T) {
	t.Helper()
	select {
	case <-f.steady:
	case <-time.After(patience):
		t.Fatalf("accept4 was not called %d times on one socket", steadyFails)
	}
}

// heal lets all calls pass.
func (f *acceptFault) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.port = 0
}

// pace returns how often calls have failed, and over what time the first
// steadyFails of one socket did, the shortest such time.
func (f *acceptFault) pace() (fails int, steady time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	steady = patience
	for _, times := range f.failed {
		fails += len(times)
		if len(times) >= steadyFails {
			steady = min(steady, times[steadyFails-1].Sub(times[0]))
		}
	}
	return fails, steady
}

// acceptTracker has an operator's listener besides.
const acceptTracker = bothDrivers + `
[admin]
address = "unix:%s"
`

// TestAcceptFails: whatever accept4 says, the tracker neither spins nor gives
// up, tells the operator, and answers everybody as soon as it can.
func TestAcceptFails(t *testing.T) {
	f := &acceptFault{ports: map[uint64]uint16{}}
	s := &supervisor{watch: []watched{{call: unix.SYS_ACCEPT4, arg: anyArg}}, decide: f.decide, done: f.done}
	dir, admin := t.TempDir(), filepath.Join(shortDir(t), "admin")
	certificate(t, dir)
	write(t, filepath.Join(dir, "spate.toml"), fmt.Sprintf(acceptTracker, admin))
	tr := launchTracker(t, dir, "spate.toml", s.start)
	f.pid = tr.pid
	plain, secret := twoPorts(t, tr)
	for _, driver := range []struct {
		name  string
		port  uint16
		wrap  func(net.Conn) net.Conn
		quiet int // errors that the Go library passes over without a word
	}{
		{"event loops", plain, func(c net.Conn) net.Conn { return c }, 0},
		{"goroutines", secret, insecureTLS, 1},
	} {
		a := accepting{fault: f, admin: admin, port: driver.port, wrap: driver.wrap}
		t.Run(driver.name, func(t *testing.T) {
			// What accept(2) says to go on after, and what passes by itself.
			t.Run("each once", func(t *testing.T) { a.once(t, driver.quiet) })
			// 10 pauses of 100 ms, of which a connection that ended before
			// may have cut one short.
			t.Run("no file left in the system", func(t *testing.T) { a.always(t, unix.ENFILE, "accept_pauses_total", 900*time.Millisecond) })
			// A pause of 5 ms after each 8 tries at least.
			t.Run("never allowed", func(t *testing.T) { a.always(t, unix.EPERM, "accept_errors_total", 5*time.Millisecond) })
		})
	}
	if log := read(t, tr.log); strings.Count(log, "new connections wait") != 1 {
		t.Errorf("the log should say once that new connections wait:\n%s", log)
	}
}

// TestStopWhileAcceptFails: a stop in the middle of a shortage is a stop like any other.
func TestStopWhileAcceptFails(t *testing.T) {
	for i, name := range []string{"event loops", "goroutines"} {
		t.Run(name, func(t *testing.T) {
			f := &acceptFault{ports: map[uint64]uint16{}}
			s := &supervisor{watch: []watched{{call: unix.SYS_ACCEPT4, arg: anyArg}}, decide: f.decide, done: f.done}
			dir := t.TempDir()
			certificate(t, dir)
			write(t, filepath.Join(dir, "spate.toml"), bothDrivers)
			tr := launchTracker(t, dir, "spate.toml", s.start)
			f.pid = tr.pid
			first, second := twoPorts(t, tr)
			port := [2]uint16{first, second}[i]
			f.fail(port, unix.ENFILE)
			for range acceptClients {
				c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
			}
			f.await(t)
			tr.stop() // an exit status other than 0 is an error
			if log := read(t, tr.log); strings.Contains(log, "level=ERROR") || !strings.Contains(log, "msg=stopped") {
				t.Errorf("the log of the stop:\n%s", log)
			}
		})
	}
}

// TestOperatorAcceptFails: what the operator's listener cannot accept is no matter of the
// tracker's, and it goes on as soon as it can.
func TestOperatorAcceptFails(t *testing.T) {
	f := &acceptFault{ports: map[uint64]uint16{}}
	s := &supervisor{watch: []watched{{call: unix.SYS_ACCEPT4, arg: anyArg}}, decide: f.decide, done: f.done}
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	operator := free.Addr().(*net.TCPAddr)
	_ = free.Close()
	write(t, filepath.Join(dir, "spate.toml"), fmt.Sprintf(`
[network]
use_ipv6 = false
address_ipv4 = "127.0.0.1:0"
[admin]
address = "%s"
`, operator))
	tr := launchTracker(t, dir, "spate.toml", s.start)
	f.pid = tr.pid
	for _, errno := range []unix.Errno{unix.ENOBUFS, unix.EPERM} {
		f.fail(uint16(operator.Port), errno)
		asked := make(chan error, 1)
		go func() {
			r, err := http.Get("http://" + operator.String() + "/health")
			if err == nil {
				err = r.Body.Close()
			}
			asked <- err
		}()
		f.await(t)
		l := line{Conn: dialPort(t, tr.port4)}
		if body, err := l.ask(announcePath(20000)); err != nil || !strings.HasPrefix(body, "d8:complete") {
			t.Errorf("%v: an announce got %q: %v", errno, body, err)
		}
		_ = l.Close()
		f.heal()
		if err := <-asked; err != nil {
			t.Errorf("%v: the operator got no answer: %v", errno, err)
		}
	}
	tr.stop()
	if log := read(t, tr.log); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "the admin listener could not accept") {
		t.Errorf("the log should say once what happens:\n%s", log)
	}
}

// accepting is one port of a tracker.
type accepting struct {
	fault *acceptFault
	admin string
	port  uint16
	wrap  func(net.Conn) net.Conn
}

// acceptClients is enough for each of two sockets to have some, but for one
// time in 2,000,000,000, in which the test says the same.
const acceptClients = 32

func (a *accepting) once(t *testing.T, quiet int) {
	peers := []unix.Errno{
		unix.ECONNABORTED, unix.EPROTO, unix.ENETDOWN, unix.ENOPROTOOPT, unix.EHOSTDOWN, unix.ENONET,
		unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH,
	}
	ours := []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM}
	errors, pauses := a.counter(t, "accept_errors_total"), a.counter(t, "accept_pauses_total")
	a.fault.fail(a.port, 0, slices.Concat(peers, ours, []unix.Errno{unix.EINTR})...)
	a.clients(t)()
	a.fault.heal()
	if got, want := a.counter(t, "accept_errors_total")-errors, len(peers)-quiet; got != want {
		t.Errorf("%d errors were counted, want %d", got, want)
	}
	if got := a.counter(t, "accept_pauses_total") - pauses; got != len(ours) {
		t.Errorf("%d pauses were counted, want %d", got, len(ours))
	}
}

// always lets accepting fail until the pace of that is known. No timing makes
// it faster than the pauses are.
func (a *accepting) always(t *testing.T, errno unix.Errno, counter string, atLeast time.Duration) {
	before := a.counter(t, counter)
	a.fault.fail(a.port, errno)
	answered := a.clients(t)
	a.fault.await(t)
	a.fault.heal()
	answered()
	if _, took := a.fault.pace(); took < atLeast {
		t.Errorf("accept4 failed %d times within %v, which is a spinning loop: want %v at least", steadyFails, took, atLeast)
	}
	// The loop that has nobody to answer may have been told of its last failure just now.
	eventually(t, "all failures in "+counter, func() bool {
		fails, _ := a.fault.pace()
		return a.counter(t, counter)-before == fails
	})
}

// clients lets clients announce, and returns a function that waits until all
// are answered and the tracker has noticed that they are gone.
func (a *accepting) clients(t *testing.T) (answered func()) {
	t.Helper()
	var all sync.WaitGroup
	for i := range acceptClients {
		raw, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.port))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer raw.Close()
			_ = raw.SetDeadline(time.Now().Add(patience))
			l := line{Conn: a.wrap(raw)}
			if body, err := l.ask(announcePath(20000 + i)); err != nil || !strings.HasPrefix(body, "d8:complete") {
				t.Errorf("client %d read %q: %v", i, body, err)
			}
		})
	}
	return func() {
		all.Wait()
		eventually(t, "no open connection", func() bool {
			metrics, open := getUnix(t, a.admin, "/metrics"), 0
			for _, state := range []string{"head", "idle", "lingering", "other", "writing"} {
				open += counterOf(t, metrics, `spate_connections{state="`+state+`"}`)
			}
			return open == 0
		})
	}
}

// counter returns a counter of the tracker's.
func (a *accepting) counter(t *testing.T, name string) int {
	t.Helper()
	return counterOf(t, getUnix(t, a.admin, "/metrics"), "spate_"+name)
}
