package loop

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below are for descriptors that do not block. They go to the kernel
// without telling the Go scheduler, which package unix's own do (about 60 ns
// each, and a thread that may lose its processor). The price: a call that did
// block would hold up the whole program. Recv and Send repeat a call that a
// signal interrupts. bench/floor -cooked shows the gain.

// Recv reads into buf, which must not be empty. At the end of the stream it
// returns 0 without an error.
func Recv(fd int, buf []byte) (int, unix.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), unix.MSG_DONTWAIT, 0, 0)
		if e == 0 {
			return int(n), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// Send writes buf, which must not be empty. With last, the kernel holds the end
// of it back until the socket is closed: Close then sends it, and the FIN
// rides in its segment instead of one of its own. Without a Close it would be
// held back for up to 200 ms.
func Send(fd int, buf []byte, last bool) (int, unix.Errno) {
	flags := uintptr(unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL)
	if last {
		flags |= unix.MSG_MORE
	}
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), flags, 0, 0)
		if e == 0 {
			return int(n), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// Close closes a descriptor. Sockets that linger (SO_LINGER with a time) may
// block in it: they are not for this package.
func Close(fd int) {
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// ShutdownWrite sends a FIN behind everything that was sent.
func ShutdownWrite(fd int) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	return e
}

// QuickACK lets what was received be acknowledged at once. It undoes
// Options.SlowACK for a connection whose peer may be waiting for that.
func QuickACK(fd int) {
	on := int32(1)
	_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, uintptr(unsafe.Pointer(&on)), 4, 0)
}

// A Source receives the address of an accepted connection. It is reused from
// accept to accept.
type Source struct {
	raw  unix.RawSockaddrAny
	size uint32
}

// Accept takes a connection off the queue of a listening socket. The new
// descriptor does not block and is closed on exec.
func Accept(listener int, from *Source) (int, unix.Errno) {
	from.size = uint32(unsafe.Sizeof(from.raw))
	fd, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(&from.raw)), uintptr(unsafe.Pointer(&from.size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(fd), 0
}

// Addr returns the address of the last accepted connection, IPv4-mapped ones
// as they come and without zones. It is the zero Addr for a unix socket.
func (s *Source) Addr() netip.Addr {
	switch s.raw.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(&s.raw)).Addr)
	}
	return netip.Addr{}
}

// wake adds 1 to an eventfd. It fails only where the counter would overflow,
// and then the event is already there.
func wake(fd int) {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
}

// drain sets an eventfd back to 0.
func drain(fd int) {
	var count [8]byte
	_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&count)), 8)
}

// Reset lets the close of a socket drop what it has not sent and reset the
// connection.
func Reset(fd int) {
	l := unix.Linger{Onoff: 1}
	_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&l)), unsafe.Sizeof(l), 0)
}
