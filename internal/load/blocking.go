package load

import (
	"context"
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
	t      *traffic
	d      *dialer
	number int // of all connections of all workers
	slot   int // address number, or -1
	slow   bool

	conn   net.Conn
	own    netip.Addr
	stop   func() bool // detaches the connection from the run's context
	buf    []byte
	flight flight
	v      verdict
}

// run sends requests until ctx ends. next returns when the next request is due,
// and false at the end.
func (c *client) run(ctx context.Context, next func() (time.Time, bool)) {
	defer c.hangUp()
	for {
		due, ok := next()
		if !ok || !sleepUntil(ctx, due) {
			return
		}
		if time.Since(due) > lateAfter {
			c.t.late()
		}
		if !c.connect(ctx) {
			continue
		}
		c.t.prepare(&c.flight, due, c.slot, c.own)
		err := c.exchange()
		if ctx.Err() != nil {
			return // cut off by the end of the run: nobody's fault
		}
		if err != nil {
			c.t.failed(&c.flight, faultOf(err))
			c.hangUp()
		}
	}
}

// lateAfter is how long after it was due a request counts as late.
const lateAfter = time.Millisecond

func (c *client) connect(ctx context.Context) bool {
	if c.conn != nil {
		return true
	}
	conn, own, err := c.d.dial(ctx, c.number)
	if err != nil {
		if ctx.Err() == nil {
			c.t.notConnected(faultOf(err))
			sleepUntil(ctx, time.Now().Add(redialAfter))
		}
		return false
	}
	c.conn, c.own = conn, own
	c.stop = context.AfterFunc(ctx, func() { conn.Close() })
	c.t.opened()
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
func (c *client) exchange() error {
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
		n, err := c.conn.Read(c.buf[filled:limit])
		filled += n
		c.t.received(n)
		reply, done, bad := splitReply(c.buf[:filled], err == io.EOF)
		if bad || filled > maxReply {
			c.t.malformed(&c.flight)
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

// slowRead is how many bytes a slow reader takes at a time.
const slowRead = 16
