package load

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"time"
)

// maxReply is the longest reply that is read: BiglyBT, the strictest of the
// clients, takes 128 KiB.
const maxReply = 128 << 10

// client is one connection slot, driven by a goroutine of its own: it carries
// TLS, and everything on systems without epoll.
type client struct {
	t    *traffic
	w    *worker
	d    *dialer
	slot int // address number of the connection, or -1
	slow bool

	conn   net.Conn
	own    netip.Addr
	stop   func() bool // detaches the connection from the run's context
	buf    []byte
	flight flight
	v      verdict
}

// run sends requests as long as t lets it.
func (c *client) run(t term) {
	defer c.hangUp()
	for {
		due := c.w.nextDue()
		if !sleepUntil(t.sending, due) {
			c.giveBack(due)
			return
		}
		if time.Since(due) > lateAfter {
			c.t.late()
		}
		if !c.connect(t.ctx) {
			continue
		}
		c.t.prepare(&c.flight, due, c.slot, c.own)
		err := c.exchange(t.ctx)
		if t.ctx.Err() != nil && err != nil {
			c.t.cut(due, time.Now()) // by the end of the run: nobody's fault
			return
		}
		if err != nil {
			c.t.failed(&c.flight, faultOf(err), err)
			c.hangUp()
		}
	}
}

// giveBack notes the request that was due at the given time, if that has come,
// as never sent.
func (c *client) giveBack(due time.Time) {
	if late := time.Since(due); c.w.pace.rate > 0 && late > 0 {
		c.t.leftOut(late)
	}
}

// lateAfter is how long after it was due a request counts as late.
const lateAfter = time.Millisecond

func (c *client) connect(ctx context.Context) bool {
	if c.conn != nil {
		return true
	}
	slot := c.w.nextSlot()
	conn, own, err := c.d.dial(ctx, slot)
	if err != nil {
		if ctx.Err() == nil {
			c.t.notConnected(faultOf(err), err)
			sleepUntil(ctx, time.Now().Add(redialAfter))
		}
		return false
	}
	if c.slow {
		narrow(conn)
	}
	c.conn, c.own, c.slot = conn, own, slot
	c.stop = context.AfterFunc(ctx, func() { conn.Close() })
	c.t.opened(conn)
	return true
}

// redialAfter is the pause after a connection could not be made, so that a
// tracker that is down is not met by a busy loop.
const redialAfter = 10 * time.Millisecond

func (c *client) hangUp() {
	if c.conn == nil {
		return
	}
	c.stop()
	c.conn.Close()
	c.conn = nil
}

// exchange sends the flight's request, reads its reply and judges it.
func (c *client) exchange(ctx context.Context) error {
	if err := c.conn.SetDeadline(time.Now().Add(c.d.timeout)); err != nil {
		return err
	}
	n, err := c.conn.Write(c.flight.head)
	c.t.sent(n)
	if err != nil {
		return err
	}
	filled := 0
	for {
		if filled == len(c.buf) {
			c.buf = append(c.buf, make([]byte, max(4096, len(c.buf)))...)
		}
		limit := len(c.buf)
		if c.slow {
			limit = min(limit, filled+slowRead)
		}
		if c.slow && filled > 0 {
			sleepUntil(ctx, time.Now().Add(slowEvery))
		}
		n, err := c.conn.Read(c.buf[filled:limit])
		filled += n
		c.t.received(n)
		reply, done, wrong := splitReply(c.buf[:filled], err == io.EOF)
		if wrong != "" || filled > maxReply {
			c.t.malformed(&c.flight, wrong, c.buf[:filled])
			c.hangUp()
			return nil
		}
		if done {
			c.t.answered(&c.v, &c.flight, time.Now(), reply.status, reply.body)
			if c.flight.close || !reply.keepAlive {
				c.hangUp()
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// A slow reader takes slowRead bytes every slowEvery, from a receive buffer as
// small as the system makes it: a reply of a few kilobytes does not fit it, and
// waits in the tracker.
const (
	slowRead   = 64
	slowEvery  = 10 * time.Millisecond
	slowBuffer = 1
)

// narrow makes a connection's receive buffer as small as it gets.
func narrow(conn net.Conn) {
	if wrapped, ok := conn.(*tls.Conn); ok {
		conn = wrapped.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(slowBuffer)
	}
}
