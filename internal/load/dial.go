package load

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// dialer opens connections to the tracker.
type dialer struct {
	target  netip.AddrPort
	address *addressing
	timeout time.Duration
	tls     *tls.Config // nil for plain HTTP
}

func newDialer(cfg *Config, address *addressing) (*dialer, error) {
	target, err := netip.ParseAddrPort(cfg.ServerAddress)
	if err != nil {
		return nil, err
	}
	d := &dialer{target: target, address: address, timeout: time.Duration(cfg.Check.Timeout) * time.Second}
	if cfg.EnableTLS {
		d.tls = &tls.Config{
			ServerName: "example.com",
			// What is measured is the tracker, whose certificate is the tester's own.
			InsecureSkipVerify: true,
			NextProtos:         []string{"http/1.1"},
		}
		if cfg.Check.TLSResume {
			d.tls.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		}
	}
	return d, nil
}

// dial opens a connection with address number slot and sends its PROXY header, if
// it has one. own is the address that the tracker sees.
func (d *dialer) dial(ctx context.Context, slot int) (conn net.Conn, own netip.Addr, err error) {
	nd := net.Dialer{Timeout: d.timeout}
	if bind := d.address.bind(slot); bind.IsValid() {
		nd.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(bind, 0))
	}
	conn, err = nd.DialContext(ctx, "tcp", d.target.String())
	if err != nil {
		return nil, netip.Addr{}, err
	}
	own = conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if d.address.source == sourceProxyV1 || d.address.source == sourceProxyV2 {
		own = d.address.told(slot)
		header := d.address.appendProxy(nil, netip.AddrPortFrom(own, 40000), d.target)
		if _, err := conn.Write(header); err != nil {
			conn.Close()
			return nil, netip.Addr{}, err
		}
	}
	if d.tls == nil {
		return conn, own, nil
	}
	secure := tls.Client(conn, d.tls)
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, netip.Addr{}, &handshakeError{err}
	}
	return secure, own, nil
}

// handshakeError marks an error of the TLS handshake.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

// faultOf sorts an error of the network.
func faultOf(err error) Fault {
	var handshake *handshakeError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return FaultTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return FaultRefused
	case errors.As(err, &handshake):
		return FaultTLS
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return FaultReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return FaultClosed
	default:
		return FaultConnect
	}
}
