//go:build unix

package server

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"reflect"

	"golang.org/x/sys/unix"

	"spate/internal/http1"
)

// maxHandshake is how many bytes a client may send in its handshake: a whole
// record. No client is asked for a certificate, and what they send are some
// hundred bytes to 4 KiB, with keys against quantum computers.
const maxHandshake = 16 << 10

// errLongHandshake ends a handshake beyond maxHandshake.
var errLongHandshake = errors.New("the handshake is too long")

// tlsConfig is made once a server. Being one and the same for its whole life,
// crypto/tls makes the keys of its session tickets itself, changes them every
// day and forgets them after seven.
func (s *Server) tlsConfig() *tls.Config {
	cfg := &s.rules.cfg
	choose := cfg.GetCertificate
	if choose == nil {
		choose = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Without X25519MLKEM768, which costs a third more CPU time for each full
		// handshake, to keep secret from a later quantum computer what a tracker
		// tells anyone who asks.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
		// Those of TLS 1.3 are all fine and not for us to choose. Of 1.2 only
		// those with forward secrecy and without CBC.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: append([]string{"http/1.1", "http/1.0"}, cfg.NextProtos...),
		// A reply is one record whatever its length: a tracker's are small,
		// and nobody waits for the beginning of one.
		DynamicRecordSizingDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if pair, err := choose(hello); pair != nil || err != nil || s.tls == nil {
				return pair, err
			}
			return s.tls.choose(hello)
		},
	}
}

// secure takes the connection through its TLS handshake, and through a PROXY
// protocol header before it. It is false when the connection ends with that.
func (c *conn) secure() (ending, bool) {
	if err := c.await(hasBytes); err != nil {
		// Who connects and says nothing costs no more than a small goroutine.
		if c.peer.pending {
			return c.failed(err), false
		}
		return c.handshakeFailed(err), false
	}
	if c.begun() != nil {
		return endError, false
	}
	underWay := c.d.handshakes.begin(c)
	end, ok := c.handshake()
	if c.d.handshakes.end(underWay) {
		return endLimit, false
	}
	return end, ok
}

// handshake is secure once there are bytes.
func (c *conn) handshake() (ending, bool) {
	for c.peer.pending {
		if err := c.fill(); err != nil {
			return c.failed(err), false
		}
		n, next := c.peer.proxyHeader(c.buffered())
		if next == actionAbort {
			return endProxyHeader, false
		}
		c.use(n)
	}
	if len(c.buffered()) == 0 {
		if err := c.fill(); err != nil {
			return c.handshakeFailed(err), false
		}
	}
	session := tls.Server(&c.wire, c.d.tlsConfig)
	c.patient = true
	growStack(1)
	err := session.Handshake()
	c.patient = false
	if err != nil {
		return c.handshakeFailed(err), false
	}
	c.tls, c.busy = session, false
	state := session.ConnectionState()
	if state.DidResume {
		c.d.count.resumed.Add(1)
	}
	c.d.count.handshakes[handshakeDone].Add(1)
	if len(c.buffered()) == 0 {
		// The client's last message of the handshake needs no answer, and the
		// system would acknowledge it 40 ms later: that long the request of a client
		// that keeps small packets back until then (Nagle's algorithm) would wait.
		_ = c.raw.Control(acknowledge)
	}
	if state.NegotiatedProtocol != "" && state.NegotiatedProtocol[0] != 'h' {
		// One of Config.NextProtos: all there is to it was in the handshake.
		_ = session.CloseWrite()
		_ = c.flushLast()
		return endServed, false
	}
	return 0, true
}

// growStack makes the stack of its goroutine large enough for a handshake in one
// step. Otherwise it doubles several times, each time copying and adjusting all
// frames: 4 % of a connection's CPU time in profiles.
//
//go:noinline
func growStack(i int) byte {
	var frame [handshakeStack]byte
	return frame[i]
}

// handshakeStack is a little less than a handshake needs of a stack, so that
// what is made has the size that would be had in the end.
const handshakeStack = 12 << 10

// handshakeFailed counts why a handshake failed, and tells the client where
// that is of use.
func (c *conn) handshakeFailed(err error) ending {
	why := c.blame(err)
	c.d.count.handshakes[why].Add(1)
	switch why {
	case handshakeTimeout, handshakeClosed:
		c.drop()
		if errors.Is(err, errNoRoom) {
			return endLimit
		}
		if errors.Is(err, errDrained) || c.told {
			return endShutdown
		}
		return endHandshake
	case handshakeHTTP:
		c.drop() // the alert would be noise to it
		x := <-c.d.exchanges
		out := x.refuse(&c.peer, http1.ErrRequestLine, nil)
		c.d.exchanges <- x
		_, _ = c.Write(out)
	}
	if c.flushLast() != nil {
		return endHandshake
	}
	if some, eof := c.unread(); why == handshakeHTTP || some && !eof {
		c.linger()
	}
	return endHandshake
}

// Alerts (RFC 8446, section 6).
const (
	alertHandshakeFailure      = 40
	alertBadCertificate        = 42 // and those after it, all about the certificate
	alertIllegalParameter      = 47 // but for this one
	alertUnknownCA             = 48
	alertProtocolVersion       = 70
	alertInsufficientSecurity  = 71
	alertInappropriateFallback = 86 // RFC 7507
	alertNoApplicationProtocol = 120
)

// isDistrust reports whether an alert says that the peer refuses a certificate.
func isDistrust(alert uint64) bool {
	return alert >= alertBadCertificate && alert <= alertUnknownCA && alert != alertIllegalParameter
}

// blame finds the reason of a failed handshake. The errors of crypto/tls are
// mostly plain texts, so it goes by the alert that was sent for them.
func (c *conn) blame(err error) handshake {
	var (
		header tls.RecordHeaderError
		op     *net.OpError
	)
	switch {
	case isTimeout(err), errors.Is(err, errDrained):
		return handshakeTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET),
		errors.Is(err, unix.EPIPE), errors.Is(err, net.ErrClosed), errors.Is(err, errNoRoom):
		return handshakeClosed
	case errors.As(err, &header):
		if method := string(header.RecordHeader[:4]); method == "GET " || method == "HEAD" || method == "POST" {
			return handshakeHTTP
		}
		return handshakeNotTLS
	case errors.As(err, &op) && op.Op == "remote error":
		// An alert from the client, whose type is not exported: a number.
		if code := reflect.ValueOf(op.Err); code.Kind() == reflect.Uint8 && isDistrust(code.Uint()) {
			return handshakeDistrusted
		}
		return handshakeClientAlert
	}
	switch c.alert {
	case alertProtocolVersion, alertInappropriateFallback:
		return handshakeVersion
	case alertHandshakeFailure, alertInsufficientSecurity:
		return handshakeCipher
	case alertNoApplicationProtocol:
		return handshakeProtocol
	}
	return handshakeMalformed
}
