package loop

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Options are what Tune sets on a listening TCP socket. The connections that
// it accepts inherit all of them, so none costs a call for each connection.
type Options struct {
	// Defer leaves a connection in the kernel until its first bytes are
	// there, so that they can be read right after the accept. It is for how
	// long the kernel waits for them, in whole seconds, rounded up; 0 switches
	// it off. It must be off where the server speaks first or where a silent
	// client has to be seen.
	Defer time.Duration
	// SlowACK leaves the first bytes of a connection to be acknowledged by the
	// reply to them instead of a segment of their own: 7 segments instead of 8
	// for a request that closes its connection. A peer that sends its request
	// in several small pieces may wait up to 40 ms for an acknowledgement,
	// unless QuickACK is called when a piece is seen.
	SlowACK bool
}

// Tune sets options of a listening TCP socket. It also switches Nagle's
// algorithm off: a reply is written in one call, and replies to pipelined
// requests must not wait for each other's acknowledgements.
func Tune(fd int, o Options) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt TCP_NODELAY", err)
	}
	seconds := int((o.Defer + time.Second - 1) / time.Second)
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, seconds); err != nil {
		return os.NewSyscallError("setsockopt TCP_DEFER_ACCEPT", err)
	}
	if o.SlowACK {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0); err != nil {
			return os.NewSyscallError("setsockopt TCP_QUICKACK", err)
		}
	}
	return nil
}

// IsTCP reports whether a socket is TCP's.
func IsTCP(fd int) bool {
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return err == nil && protocol == unix.IPPROTO_TCP
}

// synOffset is where the flags of a TCP header lie, and synFlag the one that
// opens a connection.
const (
	synOffset = 13
	synFlag   = 0x02
)

// Refuse lets a listening TCP socket ignore new connections, while those whose
// first packet has already been answered still arrive and can be accepted. The
// ignored peers try again after a second: they find whoever listens by then.
// Closing the socket instead would reset everything in its queue.
func Refuse(fd int) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: synOffset},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: synFlag, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: ^uint32(0)},
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0]))}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &f); err != nil {
		return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", err)
	}
	return nil
}

// Steer has a listening TCP socket that shares its port by SO_REUSEPORT take the
// connections whose first packet the system handles on the given processor; -1 ends
// that. Where no socket asks for a packet's processor a hash chooses among all, as it
// does for everything before Linux 6.2.
func Steer(fd, processor int) error {
	return os.NewSyscallError("setsockopt SO_INCOMING_CPU", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_INCOMING_CPU, processor))
}

// Processor returns the number of the one that the caller runs on, -1 where the
// system does not tell.
func Processor() int {
	var n uint32
	if _, _, e := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&n)), 0, 0); e != 0 {
		return -1
	}
	return int(n)
}
