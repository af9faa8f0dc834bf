//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
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

// writeCertificate makes cert.pem and key.pem in dir: ECDSA on P-256.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(30 * 24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name, kind string
		der        []byte
	}{{"cert.pem", "CERTIFICATE", cert}, {"key.pem", "PRIVATE KEY", private}} {
		block := pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der})
		if err := os.WriteFile(filepath.Join(dir, f.name), block, 0o600); err != nil {
			return err
		}
	}
	return nil
}
