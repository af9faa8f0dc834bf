//go:build unix

package server

import (
	"errors"
	"net"
)

// send writes replies. After the last ones comes TLS's closing alert, and they
// may wait for the FIN.
func (c *conn) send(out []byte, last bool) error {
	if n := 2 * cap(out); n > 2*uncounted { // as they are, and encrypted
		if !c.pool.budget.Take(n) {
			return errNoRoom
		}
		defer c.pool.budget.Give(n)
	}
	if c.tls == nil && !last {
		if err := c.writeFor(c.timeout, slackOf(c.timeout)); err != nil {
			return err
		}
		_, err := c.Conn.Write(out)
		return err
	}
	if c.tls == nil {
		if _, err := c.Write(out); err != nil {
			return err
		}
		return c.flushLast()
	}
	if _, err := c.tls.Write(out); err != nil {
		return err
	}
	if !last {
		return c.flush()
	}
	if err := c.tls.CloseWrite(); err != nil {
		return err
	}
	return c.flushLast()
}

// sendFailed says why a connection ends whose reply could not be sent.
func (c *conn) sendFailed(err error) ending {
	why := endWriteTimeout
	switch {
	case errors.Is(err, errNoRoom):
		why = endLimit
	case !isTimeout(err):
		return endWriteFailed
	}
	// The peer does not read. A reset frees what the kernel still holds for
	// it; otherwise that stays for minutes.
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return why
}
