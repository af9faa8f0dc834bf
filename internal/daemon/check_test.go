package daemon

import (
	"strings"
	"testing"
	"time"

	"spate/internal/server"
)

func TestCertificateAdvice(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for left, want := range map[time.Duration]string{
		renewWithin: "",
		time.Hour:   "warn: the certificate for a.example, b.example in chain.pem ends in less than 1 days",
		0:           "warn: the certificate for a.example, b.example in chain.pem has ended: clients refuse it",
	} {
		c := server.Certificate{Chain: "chain.pem", Names: []string{"a.example", "b.example"}, NotAfter: now.Add(left)}
		if got := strings.Join(certificateAdvice(&c, now), "\n"); got != want {
			t.Errorf("%v left: %q, want %q", left, got, want)
		}
	}
}
