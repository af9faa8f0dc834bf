package opstest

import (
	"crypto/tls"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEndOfHandshakeIsAcknowledged: nothing answers a client's last message of a
// handshake. Unless the system is told to acknowledge it at once, that takes 40 ms,
// and a client with Nagle's algorithm sends its request after it.
func TestEndOfHandshakeIsAcknowledged(t *testing.T) {
	var told atomic.Int32
	s := &supervisor{
		watch: []watched{{call: unix.SYS_SETSOCKOPT, arg: 2, value: unix.TCP_QUICKACK}},
		decide: func(n *notification) verdict {
			if n.Args[1] == unix.IPPROTO_TCP {
				told.Add(1)
			}
			return verdict{pass: true}
		},
	}
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
