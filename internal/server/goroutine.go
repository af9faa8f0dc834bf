//go:build unix

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// acceptPause is how long accepting pauses for lack of descriptors or
	// memory, unless one of our own connections ends before that.
	acceptPause = 100 * time.Millisecond
	// acceptRetry is how long it pauses after an error that is the peer's.
	acceptRetry = 5 * time.Millisecond
	// acceptLogEvery is how often the log says so.
	acceptLogEvery = time.Minute
)

// A goroutineDriver serves each connection by a goroutine. It carries TLS, and
// everything on systems without epoll.
type goroutineDriver struct {
	s         *Server
	sockets   []*socket
	listeners []net.Listener
	count     *counters
	pool      *buffers
	// exchanges is the free list: as many requests are handled at a time as
	// there are workers.
	exchanges  chan *exchange
	handshakes *handshakes
	tlsConfig  *tls.Config

	lot     *lot         // where connections are parked
	waiting atomic.Int64 // connections that wait for a request in a goroutine

	// room is signalled when a connection has ended, for an accept loop that
	// waits for a descriptor.
	room chan struct{}

	stop      atomic.Pointer[time.Time] // when the stop began; nil before it
	leaving   atomic.Bool               // the stop has come to idle connections
	abandoned atomic.Bool               // the time for the stop is over

	carried sync.WaitGroup // connections
	mu      sync.Mutex     // guards conns and lastLog
	conns   map[*conn]struct{}
	lastLog time.Time
}

// newGoroutineDriver takes the sockets over.
func newGoroutineDriver(s *Server, sockets []*socket) (driver, error) {
	d := &goroutineDriver{
		s: s, sockets: sockets, count: s.newCounters(), pool: newBuffers(s.budget),
		exchanges: make(chan *exchange, s.rules.cfg.Workers),
		room:      make(chan struct{}, 1),
		conns:     make(map[*conn]struct{}),
		tlsConfig: s.tlsConfig(),

		handshakes: newHandshakes(s.rules.cfg.MaxHeld),
	}
	var err error
	if d.lot, err = newLot(); err != nil {
		return nil, err
	}
	for range s.rules.cfg.Workers {
		d.exchanges <- s.newExchange()
	}
	for _, sock := range sockets {
		f := os.NewFile(uintptr(sock.fd), sock.listener.String())
		l, err := net.FileListener(f)
		_ = f.Close()
		sock.fd = -1
		if err != nil {
			d.close()
			return nil, fmt.Errorf("listener %s: %w", sock.listener, err)
		}
		d.listeners = append(d.listeners, l)
	}
	return d, nil
}

func (d *goroutineDriver) close() {
	d.closeListeners()
	d.lot.close()
}

func (d *goroutineDriver) closeListeners() {
	for _, l := range d.listeners {
		_ = l.Close()
	}
}

// deadliner is a listener that waits can be ended of, as *net.TCPListener and
// *net.UnixListener are.
type deadliner interface {
	net.Listener
	SetDeadline(time.Time) error
}

func (d *goroutineDriver) run(ctx context.Context) error {
	failed := make(chan error, 1+len(d.listeners))
	go func() {
		if err := d.lot.run(); err != nil {
			failed <- fmt.Errorf("waiting for parked connections: %w", err)
		}
	}()
	// A stop lets connections arrive for a while yet.
	arrivals, deafen := context.WithCancel(context.WithoutCancel(ctx))
	defer deafen()
	var accepting sync.WaitGroup
	for i, l := range d.listeners {
		accepting.Go(func() {
			if err := d.accept(arrivals, l.(deadliner), d.sockets[i].listener); err != nil {
				failed <- fmt.Errorf("listener %s: %w", d.sockets[i].listener, err)
			}
		})
	}
	err := d.untilDrained(ctx, failed)
	if err != nil {
		d.s.log.Error("a listener or its connections cannot be served: the server stops", "err", err)
		d.s.drain()
	}
	hard := d.leave()
	defer hard.Stop()
	deafen()
	for _, l := range d.listeners {
		_ = l.(deadliner).SetDeadline(past)
	}
	if err != nil {
		d.closeListeners()
	}
	accepting.Wait()
	d.carried.Wait()
	for _, s := range d.sockets {
		s.close()
	}
	return err
}

// untilDrained returns when a stop has come to the end of its drainTime, or with the
// first failure.
func (d *goroutineDriver) untilDrained(ctx context.Context, failed <-chan error) error {
	select {
	case <-ctx.Done():
	case err := <-failed:
		return err
	}
	d.stopped()
	for i, l := range d.listeners {
		if !d.sockets[i].listener.ownsPort() {
			continue
		}
		if err := refuse(l); err != nil {
			d.s.log.Debug("connections that arrive during the stop are reset", "err", err)
		}
	}
	select {
	case <-d.s.after(drainTime(d.s.rules.cfg.ShutdownTimeout)):
		return nil
	case err := <-failed:
		return err
	}
}

// stopped is when the stop began: now, when it is asked for the first time.
func (d *goroutineDriver) stopped() time.Time {
	if d.stop.Load() == nil {
		now := time.Now()
		d.stop.CompareAndSwap(nil, &now)
	}
	return *d.stop.Load()
}

// grace is when heads and handshakes that are under way are given up, once the server
// leaves, and when new connections on which no byte has come.
func (d *goroutineDriver) grace(silent bool) time.Time {
	timeout := d.s.rules.cfg.ShutdownTimeout
	if silent {
		return d.stopped().Add(silentTime(timeout))
	}
	return d.stopped().Add(headTime(timeout))
}

// leave ends the waits of all connections, which then answer what has come and
// close. What the timer closes is left shortly before the end of the stop.
func (d *goroutineDriver) leave() *time.Timer {
	d.leaving.Store(true)
	d.mu.Lock()
	for c := range d.conns {
		_ = c.Conn.SetReadDeadline(past)
	}
	d.mu.Unlock()
	d.lot.stop()
	return time.AfterFunc(time.Until(d.stopped().Add(replyTime(d.s.rules.cfg.ShutdownTimeout))), func() {
		d.abandoned.Store(true)
		d.mu.Lock()
		defer d.mu.Unlock()
		for c := range d.conns {
			_ = c.Conn.Close()
		}
	})
}

// accept takes connections of one listener until ctx is done, then those that
// are still queued.
func (d *goroutineDriver) accept(ctx context.Context, l deadliner, of *Listener) error {
	defer l.Close()
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			d.start(c, of)
		case ctx.Err() != nil:
			d.acceptQueued(l, of)
			return nil
		case errors.Is(err, net.ErrClosed):
			return nil // another listener failed
		case isShortage(err):
			d.pause(ctx, of, err)
		case isFatalAccept(err):
			return err
		default:
			// The peer's or the network's, not ours: accept(2) says to try
			// again. The pause is for a firewall that refuses for good.
			d.count.acceptErrors.Add(1)
			d.wait(ctx, acceptRetry)
		}
	}
}

// acceptQueued takes the connections that the kernel has already accepted.
func (d *goroutineDriver) acceptQueued(l deadliner, of *Listener) {
	for range d.s.rules.cfg.Backlog + 1 {
		if !readable(l) || l.SetDeadline(time.Now().Add(acceptPause)) != nil {
			return
		}
		c, err := l.Accept()
		switch {
		case err == nil:
			d.start(c, of)
		case isShortage(err) && time.Now().Before(d.grace(true)):
			d.wait(context.Background(), acceptPause) // idle connections are ending
		default:
			return
		}
	}
}

// readable reports whether an accept would find a connection.
func readable(l net.Listener) bool {
	raw, err := l.(interface {
		SyscallConn() (syscall.RawConn, error)
	}).SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) {
		n, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	})
	return err == nil && n == 1
}

// start gives a new connection its goroutine.
func (d *goroutineDriver) start(nc net.Conn, of *Listener) {
	addr := source(nc)
	d.count.accepted[family(addr)].Add(1)
	if d.s.rules.limits.admit(d.s.rules.cfg.Clock(), addr, d.makeRoom) != refusalNone {
		_ = nc.Close()
		d.count.ended[endLimit].Add(1)
		return
	}
	raw, err := nc.(interface {
		SyscallConn() (syscall.RawConn, error)
	}).SyscallConn()
	if err != nil {
		_ = nc.Close()
		d.s.rules.limits.release(addr)
		d.count.ended[endError].Add(1)
		return
	}
	c := &conn{d: d, l: of, source: addr}
	c.wire = wire{Conn: nc, raw: raw, pool: d.pool, leaving: &d.leaving, grace: d.grace, timeout: d.s.rules.cfg.WriteTimeout}
	c.onReadable = c.receive
	d.mu.Lock()
	d.conns[c] = struct{}{}
	d.mu.Unlock()
	d.carried.Add(1)
	go c.serve()
}

// forget removes a connection before it is closed.
func (d *goroutineDriver) forget(c *conn) {
	d.mu.Lock()
	delete(d.conns, c)
	d.mu.Unlock()
}

// freed is called when a connection has ended and its descriptor is free.
func (d *goroutineDriver) freed() {
	select {
	case d.room <- struct{}{}:
	default:
	}
	d.carried.Done()
}

// pause waits out a shortage of descriptors or memory.
func (d *goroutineDriver) pause(ctx context.Context, of *Listener, err error) {
	d.count.acceptPauses.Add(1)
	d.mu.Lock()
	quiet := time.Since(d.lastLog) < acceptLogEvery
	if !quiet {
		d.lastLog = time.Now()
	}
	d.mu.Unlock()
	if !quiet {
		d.s.log.Warn("new connections wait: the system refuses more; raise the limit of open files (ulimit -n, LimitNOFILE=)",
			"listener", of.String(), "err", err)
	}
	d.wait(ctx, acceptPause)
}

// wait returns after a time, or when a connection has ended or ctx is done.
func (d *goroutineDriver) wait(ctx context.Context, pause time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-d.room:
	case <-t.C:
	case <-ctx.Done():
	}
}

// isShortage tells errors that pass when something is freed.
func isShortage(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) ||
		errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

// isFatalAccept tells errors after which a listening socket is of no use.
func isFatalAccept(err error) bool {
	return errors.Is(err, unix.EBADF) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSOCK)
}
