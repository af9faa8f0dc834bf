package load

import (
	"context"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// epollLoop drives all plain connections of one worker from one thread.
type epollLoop struct {
	w       *worker
	ep      int
	slots   []slot
	ready   []int         // slots that can take a request, the last used first
	slow    []int         // slots that are to read on, a little at a time
	opened  int           // slots that the creation interval has let in
	idle    time.Duration // time that the loop has waited, since it was last noted
	begin   time.Time
	doze    bool // there are Ps for others while the loop keeps its own
	scratch []byte
	events  []unix.EpollEvent
	v       verdict
	target  unix.Sockaddr
	family  int
}

// slot is one connection of the loop, open or not.
type slot struct {
	client
	fd       int // -1 while closed
	inFlight bool
	deadline time.Time
	refused  bool      // could not connect: made ready again at the next tick
	later    bool      // in the loop's slow
	nextRead time.Time // of a slow reader
	fresh    bool      // has not sent its PROXY header
	opening  bool      // not known to be connected
	unsent   []byte    // rest of flight.head
	partial  []byte    // what has come of a reply that is not whole
}

const (
	// tick is how often timeouts are looked for.
	tick = 100 * time.Millisecond
	// scratchSize takes whole replies in one read.
	scratchSize = 64 << 10
)

func (w *worker) runLoop(t term) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := &epollLoop{
		w: w, begin: time.Now(), scratch: make([]byte, scratchSize), events: make([]unix.EpollEvent, 256),
		slots: make([]slot, w.cfg.NumConnections),
	}
	l.doze = runtime.GOMAXPROCS(0) > w.cfg.NumWorkers
	l.target, l.family = sockaddr(w.dialer.target)
	var err error
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		w.notConnected(FaultConnect, err)
		return
	}
	defer unix.Close(l.ep)
	for i := range l.slots {
		s := &l.slots[i]
		s.client = *w.newClient(i)
		s.fd = -1
	}
	l.run(t.sending)
	w.unsent(&w.pace, time.Now())
	l.drain(t.ctx)
	for i := range l.slots {
		l.close(&l.slots[i])
	}
}

// run sends until the context ends.
func (l *epollLoop) run(sending context.Context) {
	lastSweep := l.begin
	for sending.Err() == nil {
		now := time.Now()
		l.admit(now)
		wait := l.sendDue(now)
		if now.Sub(lastSweep) >= tick {
			l.expire(now)
			l.w.waited(l.idle)
			l.idle = 0
			lastSweep = now
		}
		l.await(now, wait)
	}
	l.w.waited(l.idle)
}

// await handles what happens within the given time.
func (l *epollLoop) await(now time.Time, wait time.Duration) {
	wait = min(wait, tick)
	if len(l.slow) > 0 {
		wait = min(wait, l.readSlow(now))
	}
	var before time.Time
	if wait > 0 {
		before = time.Now()
	}
	n := epollWait(l.ep, l.events, wait, l.doze)
	if wait > 0 {
		l.idle += time.Since(before)
	}
	for _, e := range l.events[:n] {
		l.handle(int(e.Fd), e.Events)
	}
}

// drain waits for the replies to what is under way. What ctx cuts off is noted.
func (l *epollLoop) drain(ctx context.Context) {
	for l.underWay() && ctx.Err() == nil {
		now := time.Now()
		l.expire(now)
		l.await(now, tick)
	}
	now := time.Now()
	for i := range l.slots {
		if s := &l.slots[i]; s.inFlight {
			l.w.cut(s.flight.due, now)
		}
	}
}

func (l *epollLoop) underWay() bool {
	for i := range l.slots {
		if l.slots[i].inFlight {
			return true
		}
	}
	return false
}

// maxDoze bounds a wait that the scheduler is not told of; docs/adr/0051 says why
// that can be done. With the raw calls of package loop it took the requests in a
// second of CPU time from 0.90 to 1.10 of wrk's (bench/generator).
const maxDoze = 20 * time.Millisecond

// kernelTimespec is struct __kernel_timespec, which has these sizes on every machine;
// unix.Timespec is what older calls take, 32 bits each on some.
type kernelTimespec struct{ seconds, nanoseconds int64 }

// epollWait waits for events to the nanosecond, where the system can: a rate of
// some thousands a second leaves less than a millisecond between requests. With doze
// it keeps the goroutine's P, and waits for maxDoze at most.
func epollWait(ep int, events []unix.EpollEvent, wait time.Duration, doze bool) int {
	call := unix.Syscall6
	if doze || wait == 0 {
		call, wait = unix.RawSyscall6, min(wait, maxDoze)
	}
	ts := kernelTimespec{seconds: int64(wait / time.Second), nanoseconds: int64(wait % time.Second)}
	n, _, errno := call(unix.SYS_EPOLL_PWAIT2, uintptr(ep), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if errno == unix.ENOSYS { // before Linux 5.11
		n, err := unix.EpollWait(ep, events, int((wait+time.Millisecond-1)/time.Millisecond))
		if err != nil {
			return 0
		}
		return n
	}
	if errno != 0 {
		return 0 // EINTR: nothing was lost
	}
	return int(n)
}

// admit makes slots ready as the creation interval lets them in.
func (l *epollLoop) admit(now time.Time) {
	gap := time.Duration(l.w.cfg.ConnectionCreationIntervalMS) * time.Millisecond
	for l.opened < len(l.slots) && !now.Before(l.begin.Add(time.Duration(l.opened)*gap)) {
		l.ready = append(l.ready, l.opened)
		l.opened++
	}
}

// sendDue sends what is due while there are connections for it, and returns how
// long nothing more will be due.
func (l *epollLoop) sendDue(now time.Time) time.Duration {
	p := &l.w.pace
	for n := len(l.ready); n > 0; n-- {
		if p.rate > 0 {
			if wait := p.peek().Sub(now); wait > 0 {
				return wait
			}
		}
		due := p.next(now)
		i := l.ready[len(l.ready)-1]
		l.ready = l.ready[:len(l.ready)-1]
		if now.Sub(due) > lateAfter {
			l.w.late()
		}
		l.send(i, due, now)
	}
	if len(l.ready) > 0 {
		return 0
	}
	return tick
}

// send sends a request by slot i, over a new connection where it has none.
func (l *epollLoop) send(i int, due, now time.Time) {
	s := &l.slots[i]
	if s.fd < 0 {
		if err := l.connect(s, i); err != nil {
			l.w.notConnected(faultOf(err), err)
			l.close(s)
			s.refused = true // as in broken
			return
		}
	}
	s.deadline = now.Add(l.w.dialer.timeout)
	l.w.prepare(&s.flight, due, s.client.slot, s.own)
	s.inFlight = true
	s.unsent = s.flight.head
	if l.w.dialer.address.source == sourceProxyV1 || l.w.dialer.address.source == sourceProxyV2 {
		s.unsent = l.withProxy(s)
	}
	l.flush(s, i)
}

// withProxy returns what is unsent, behind a PROXY header where the connection
// is new.
func (l *epollLoop) withProxy(s *slot) []byte {
	if !s.fresh {
		return s.unsent
	}
	s.fresh = false
	header := l.w.dialer.address.appendProxy(nil, netip.AddrPortFrom(s.own, 40000), l.w.dialer.target)
	return append(header, s.unsent...)
}

// connect begins a connection. The system finishes it while the first bytes
// wait.
func (l *epollLoop) connect(s *slot, i int) error {
	fd, err := unix.Socket(l.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.fd, s.fresh, s.opening = fd, true, true
	s.client.slot = l.w.nextSlot()
	if s.slow {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, slowBuffer)
	}
	if bind := l.w.dialer.address.bind(s.client.slot); bind.IsValid() {
		sa, _ := sockaddr(netip.AddrPortFrom(bind, 0))
		// The port is chosen at connect, so that ports in TIME_WAIT do not run out.
		_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, sa); err != nil {
			return err
		}
	}
	if err := unix.Connect(fd, l.target); err != nil && err != unix.EINPROGRESS {
		return err
	}
	s.own = l.seenAs(s)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLOUT | unix.EPOLLET, Fd: int32(i)}
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return err
	}
	return nil
}

// seenAs returns the address that the tracker sees for a connection.
func (l *epollLoop) seenAs(s *slot) netip.Addr {
	a := l.w.dialer.address
	switch a.source {
	case sourceLoopback:
		return a.bind(s.client.slot)
	case sourceProxyV1, sourceProxyV2:
		return a.told(s.client.slot)
	}
	sa, err := unix.Getsockname(s.fd)
	if err != nil {
		return netip.Addr{}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(sa.Addr).Unmap()
	default:
		return netip.Addr{}
	}
}

func sockaddr(ap netip.AddrPort) (unix.Sockaddr, int) {
	if ap.Addr().Unmap().Is4() {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().Unmap().As4()}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}, unix.AF_INET6
}

func (l *epollLoop) close(s *slot) {
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
	s.fd = -1
	s.partial = nil
	s.unsent = nil
}
