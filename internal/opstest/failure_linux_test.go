//go:build amd64 || arm64

package opstest

import (
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pollerBatch is for how many events our pollers ask at a time; the Go runtime's
// own asks for fewer.
const pollerBatch = 256

// TestPartFails: what carries connections fails as a whole. One of two event
// loops that has died would leave half of all connections unanswered.
func TestPartFails(t *testing.T) {
	poll := watched{call: unix.SYS_EPOLL_PWAIT, arg: 2, value: pollerBatch}
	accept := watched{call: unix.SYS_ACCEPT4, arg: anyArg}
	const plain = "socket_workers = 2\n[network]\nuse_ipv6 = false\naddress_ipv4 = \"127.0.0.1:0\"\n"
	const secret = plain + "enable_tls = true\ntls_certificate_path = \"cert.pem\"\ntls_private_key_path = \"key.pem\"\n"
	bare := func(c net.Conn) net.Conn { return c }
	for _, c := range []struct {
		name, config string
		call         watched
		wrap         func(net.Conn) net.Conn
		says         []string
	}{
		{"poller of an event loop", plain, poll, bare, []string{"an event loop failed: the server stops", "loop ", "epoll_wait: bad file descriptor"}},
		{"socket of an event loop", plain, accept, bare, []string{"an event loop failed: the server stops", "loop ", "listener network.address_ipv4: accept4: bad file descriptor"}},
		{"poller of parked connections", secret, poll, insecureTLS, []string{"the server stops", "parked connections: epoll_wait: bad file descriptor"}},
		{"socket of goroutines", secret, accept, insecureTLS, []string{"the server stops", "listener network.address_ipv4", "bad file descriptor"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			s := &supervisor{watch: []watched{c.call}}
			s.decide = func(*notification) verdict {
				// One call fails, so one of the loops.
				if armed.CompareAndSwap(true, false) {
					return verdict{errno: unix.EBADF}
				}
				return verdict{pass: true}
			}
			dir := t.TempDir()
			certificate(t, dir)
			write(t, dir+"/spate.toml", c.config)
			tr := launchTracker(t, dir, "spate.toml", s.start)
			kept := c.wrap(dialPort(t, tr.port4))
			l := line{Conn: kept}
			if body, err := l.ask(announcePath(1)); err != nil || !strings.HasPrefix(body, "d8:complete") {
				t.Fatalf("read %q: %v", body, err)
			}
			armed.Store(true)
			// Somebody accepts this and waits for more; what becomes of it is
			// nobody's to say.
			if raw, err := net.Dial("tcp", "127.0.0.1:"+tr.port4); err == nil {
				defer raw.Close()
				_ = raw.SetDeadline(time.Now().Add(patience))
				other := line{Conn: c.wrap(raw)}
				_, _ = other.ask(announcePath(2))
			}
			var exit *exec.ExitError
			if err := tr.wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("the tracker ended with %v, want exit code 1", err)
			}
			log := read(t, tr.log)
			for _, want := range c.says {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %q:\n%s", want, log)
				}
			}
			if _, err := io.Copy(io.Discard, kept); isTimeout(err) {
				t.Error("a kept connection is open still")
			}
		})
	}
}
