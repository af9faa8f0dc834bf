//go:build !race

package acme

import (
	"crypto/tls"
	"path/filepath"
	"testing"
)

// TestHandshakesPayNothing does not count under the race detector, which
// allocates by itself.
func TestHandshakesPayNothing(t *testing.T) {
	a := newAuthority(t, "http-01")
	r, stop := start(t, a, filepath.Join(t.TempDir(), "acme"))
	r.waiting()
	// Whatever else allocates has to have ended: it would count.
	stop()
	a.Close()
	hello := &tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{"h2", "http/1.1"}}
	path, other := []byte(wellKnown+"token"), []byte("/favicon.ico")
	if n := testing.AllocsPerRun(1000, func() {
		if pair, _ := r.GetCertificate(hello); pair == nil {
			t.Error("no certificate")
		}
		r.WellKnown(path)
		r.WellKnown(other)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
