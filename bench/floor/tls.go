//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"time"
)

// serveTLS answers each read of a TLS 1.3 connection with the constant reply.
// Its certificate is made up at the start: ECDSA P-256.
func serveTLS(o *options) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", o.address, &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	})
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", l.Addr())
	answer := o.reply()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serveTLSConn(o, c, answer)
	}
}

func serveTLSConn(o *options, c net.Conn, answer []byte) {
	defer c.Close()
	var scratch [4 << 10]byte
	for {
		if _, err := c.Read(scratch[:]); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil || o.close {
			return
		}
	}
}
