//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"spate/internal/server"
)

// constant answers every path as an announce with 50 IPv4 peers is answered.
type constant struct{}

const replySize = 415

func (constant) Handle(_ time.Duration, _ netip.Addr, _, _, dst []byte) ([]byte, bool) {
	return append(dst, make([]byte, replySize)...), true
}

// serveKept prints its address and serves until its standard input ends.
func serveKept(how string) error {
	listener := server.Listener{Network: server.NetworkTCP4, Address: "127.0.0.1:0"}
	cfg := server.Config{Driver: server.DriverGoroutine, KeepAlive: true, Workers: 1}
	if how != "plain" {
		listener.TLS = true
		cfg.Certificates = []server.CertificateFiles{{Chain: filepath.Join(how, "cert.pem"), Key: filepath.Join(how, "key.pem")}}
	}
	cfg.Listeners = []server.Listener{listener}
	s, err := server.New(cfg, func() server.Handler { return constant{} }, nil)
	if err != nil {
		return err
	}
	fmt.Println(s.Addrs()[0])
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until whoever started this is done
		cancel()
	}()
	return s.Run(ctx)
}
