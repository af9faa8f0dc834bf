//go:build amd64 || arm64

package opstest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEndOfHandshakeIsAcknowledged: nothing answers a client's last message of a
// handshake. Unless the system is told to acknowledge it at once, that takes 40 ms,
// and a client with Nagle's algorithm sends its request after it.
func TestEndOfHandshakeIsAcknowledged(t *testing.T) {
	told, s := countQuickACKs()
	dir := t.TempDir()
	certificate(t, dir)
	write(t, filepath.Join(dir, "spate.toml"), `
[network]
use_ipv6 = false
address_ipv4 = "127.0.0.1:0"
enable_tls = true
tls_certificate_path = "cert.pem"
tls_private_key_path = "key.pem"
`)
	tr := launchTracker(t, dir, "spate.toml", s.start)
	before := told.Load()
	c := dialPort(t, tr.port4)
	defer c.Close()
	if err := tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an acknowledgement at once", func() bool { return told.Load() == before+1 })
}

// TestPiecesAreAcknowledged: loops let the system acknowledge a request by its reply.
// A proxy with Nagle's algorithm sends its PROXY protocol header, and waits for the
// acknowledgement before it sends the request, and so with each piece of that.
func TestPiecesAreAcknowledged(t *testing.T) {
	told, s := countQuickACKs()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "spate.toml"), `
[network]
use_ipv6 = false
address_ipv4 = "127.0.0.1:0"
proxy_protocol = true
`)
	tr := launchTracker(t, dir, "spate.toml", s.start)
	c := dialPort(t, tr.port4)
	defer c.Close()
	for i, piece := range []string{"PROXY TCP4 192.0.2.7", " 192.0.2.1 5000 80\r\n", "GET /scrape?info_", "hash=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\n"} {
		before := told.Load()
		if _, err := io.WriteString(c, piece); err != nil {
			t.Fatal(err)
		}
		eventually(t, fmt.Sprintf("an acknowledgement of piece %d at once", i), func() bool { return told.Load() == before+1 })
	}
	if _, err := io.WriteString(c, "\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(c).ReadString('\n'); err != nil || got != "HTTP/1.1 200 OK\r\n" {
		t.Errorf("read %q (%v)", got, err)
	}
}

// countQuickACKs returns a supervisor that counts how often its program has the system
// acknowledge at once what was received.
func countQuickACKs() (told *atomic.Int32, _ *supervisor) {
	told = new(atomic.Int32)
	return told, &supervisor{
		watch:  []watched{{call: unix.SYS_SETSOCKOPT, arg: 2, value: unix.TCP_QUICKACK}},
		decide: func(*notification) verdict { return verdict{pass: true} },
		// Not where it is decided: a call that a signal interrupts comes again.
		done: func(n *notification, _ verdict) {
			if n.Args[1] == unix.IPPROTO_TCP {
				told.Add(1)
			}
		},
	}
}
