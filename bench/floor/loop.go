//go:build linux

package main

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	acceptBatch = 64
	eventBatch  = 256
)

// bare is one epoll loop.
type bare struct {
	*options
	index    int // of the loop, and of its core where there are several
	listener int
	epoll    int
	answer   []byte
	scratch  [16 << 10]byte
}

// serveLoops runs the loops until one fails.
func serveLoops(o *options) error {
	if o.loops == 1 {
		return serveLoop(o, 0)
	}
	host, port, err := net.SplitHostPort(o.address)
	if err != nil || host == "" || port == "0" {
		return fmt.Errorf("-address %s: -loops wants one with a port", o.address)
	}
	runtime.GOMAXPROCS(2 * o.loops) // as the tracker has it, so that all may doze
	failed := make(chan error)
	for i := range o.loops {
		go func() { failed <- serveLoop(o, i) }()
	}
	return <-failed
}

func serveLoop(o *options, index int) error {
	if o.lock || o.loops > 1 {
		runtime.LockOSThread()
	}
	if o.loops > 1 {
		var own unix.CPUSet
		own.Set(index)
		if err := unix.SchedSetaffinity(0, &own); err != nil {
			return fmt.Errorf("loop %d of %d: a core for it: %w", index, o.loops, err)
		}
	}
	b := &bare{options: o, index: index, answer: o.reply()}
	if err := b.listen(); err != nil {
		return err
	}
	var err error
	if b.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	b.register(b.listener, 0)
	events := make([]unix.EpollEvent, eventBatch)
	for {
		n := b.wait(events, b.doze)
		if n == 0 {
			n = b.wait(events, -1)
		}
		for i := range n {
			if fd := int(events[i].Fd); fd == b.listener {
				b.accept()
			} else {
				b.serve(fd, false)
			}
		}
	}
}

func (b *bare) listen() error {
	at, err := netip.ParseAddrPort(b.address)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	b.listener = fd
	set := func(level, name, value int) {
		if err == nil {
			err = unix.SetsockoptInt(fd, level, name, value)
		}
	}
	set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if b.loops > 1 {
		set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	if b.steer {
		set(unix.SOL_SOCKET, unix.SO_INCOMING_CPU, b.index)
	}
	set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	set(unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 10)
	if b.reno && err == nil {
		err = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
	}
	if b.linger2 {
		set(unix.IPPROTO_TCP, unix.TCP_LINGER2, -1)
	}
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 1024); err != nil {
		return err
	}
	if b.pong {
		set(unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0)
		if err != nil {
			return err
		}
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s:%d\n", at.Addr(), sa.(*unix.SockaddrInet4).Port)
	return nil
}

// call is one system call on a non-blocking descriptor. Raw, it costs the
// kernel's time only; cooked, it tells the Go scheduler, as package syscall
// does.
func (b *bare) call(trap, a1, a2, a3, a4 uintptr) (int, unix.Errno) {
	if b.cooked {
		r, _, e := unix.Syscall6(trap, a1, a2, a3, a4, 0, 0)
		return int(r), e
	}
	r, _, e := unix.RawSyscall6(trap, a1, a2, a3, a4, 0, 0)
	return int(r), e
}

func (b *bare) wait(events []unix.EpollEvent, timeout int) int {
	at := uintptr(unsafe.Pointer(&events[0]))
	if timeout < 0 {
		n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(b.epoll), at, eventBatch, uintptr(timeout), 0, 0)
		if e != 0 {
			return 0
		}
		return int(n)
	}
	n, e := b.call(unix.SYS_EPOLL_PWAIT, uintptr(b.epoll), at, eventBatch, uintptr(timeout))
	if e != 0 {
		return 0
	}
	return n
}

func (b *bare) register(fd int, flags uint32) {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | flags, Fd: int32(fd)}
	b.call(unix.SYS_EPOLL_CTL, uintptr(b.epoll), unix.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&ev)))
}

// registerConn watches a connection. Edge-triggered, the end of the stream is
// told apart, since it may come along with the last bytes.
func (b *bare) registerConn(fd int) {
	if b.edge {
		b.register(fd, unix.EPOLLET|unix.EPOLLRDHUP)
		return
	}
	b.register(fd, 0)
}

func (b *bare) accept() {
	for range acceptBatch {
		var sa unix.RawSockaddrInet6
		size := uint32(unsafe.Sizeof(sa))
		fd, e := b.call(unix.SYS_ACCEPT4, uintptr(b.listener), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if e != 0 {
			return
		}
		b.serve(fd, true)
	}
}

// serve answers what has arrived on a connection.
func (b *bare) serve(fd int, fresh bool) {
	n, e := b.call(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b.scratch)), uintptr(len(b.scratch)), 0)
	if e == unix.EAGAIN {
		if fresh {
			b.registerConn(fd)
		}
		return
	}
	if n > 0 && e == 0 {
		flags := uintptr(unix.MSG_NOSIGNAL)
		if b.more {
			flags |= unix.MSG_MORE
		}
		b.call(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b.answer[0])), uintptr(len(b.answer)), flags)
		if !b.close {
			if fresh {
				b.registerConn(fd)
			}
			return
		}
	}
	b.call(unix.SYS_CLOSE, uintptr(fd), 0, 0, 0)
}
