package loop

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// EventBatch is how many events one Wait returns at most.
const EventBatch = 256

// Interest is what a registered descriptor is watched for. Errors and hang-ups
// are always reported.
type Interest uint32

const (
	// Readable: bytes, a connection to accept, or the end of the stream.
	Readable Interest = unix.EPOLLIN
	// Writable: room in the send buffer.
	Writable Interest = unix.EPOLLOUT
	// Ended: the other end has finished sending. Readable comes with it.
	Ended Interest = unix.EPOLLRDHUP
	// Edge reports what happens once instead of for as long as there is
	// something to do: it spares the kernel a second look at each descriptor
	// that was reported. Its price is paid by the caller. One that leaves bytes
	// unread, or does not read on after Ended to learn that the stream is over,
	// hears nothing more; Modify lets the poller look again, as Add does.
	Edge Interest = unix.EPOLLET
	// Exclusive wakes one of the pollers that share a descriptor instead of
	// all. It cannot be given to Modify.
	Exclusive Interest = unix.EPOLLEXCLUSIVE
)

// A Token is what a caller registers a descriptor under, and gets back with
// its events. The highest value is the poller's own.
type Token uint64

// woken is the token of the poller's eventfd.
const woken = ^Token(0)

// An Event says that something can be done on a descriptor.
type Event struct {
	Token Token
	// Ready holds Readable, Writable and Ended. A failed or hung-up descriptor
	// is all of them, so that the next call on it says what happened.
	Ready Interest
}

// rawEvent is the kernel's struct epoll_event, whose 64 bits of user data
// package unix splits in two.
type rawEvent = unix.EpollEvent

func makeEvent(interest Interest, token Token) rawEvent {
	return rawEvent{Events: uint32(interest), Fd: int32(uint32(token)), Pad: int32(uint32(token >> 32))}
}

// A Poller waits for many descriptors.
type Poller struct {
	epoll   int
	eventfd int
	raw     [EventBatch]rawEvent
	events  [EventBatch]Event
}

// NewPoller returns a poller without descriptors. Close releases it.
func NewPoller() (*Poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	eventfd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	p := &Poller{epoll: epoll, eventfd: eventfd}
	if err := p.Add(eventfd, Readable, woken); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close releases the poller. The registered descriptors stay open.
func (p *Poller) Close() {
	_ = unix.Close(p.epoll)
	_ = unix.Close(p.eventfd)
}

// Add registers a descriptor. Events are level-triggered, unless Edge says
// otherwise: they come again for as long as there is something to do. A closed
// descriptor is gone from the poller by itself.
func (p *Poller) Add(fd int, interest Interest, token Token) error {
	return p.control("epoll_ctl add", unix.EPOLL_CTL_ADD, fd, interest, token)
}

// Modify changes what a registered descriptor is watched for.
func (p *Poller) Modify(fd int, interest Interest, token Token) error {
	return p.control("epoll_ctl modify", unix.EPOLL_CTL_MOD, fd, interest, token)
}

// Remove ends the registration of a descriptor that stays open.
func (p *Poller) Remove(fd int) error {
	return p.control("epoll_ctl remove", unix.EPOLL_CTL_DEL, fd, 0, 0)
}

func (p *Poller) control(name string, op uintptr, fd int, interest Interest, token Token) error {
	e := makeEvent(interest, token)
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.epoll), op, uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError(name, errno)
	}
	return nil
}

// Wake lets a Wait that is under way, or the next one, return. It may be called
// concurrently with everything but Close.
func (p *Poller) Wake() { wake(p.eventfd) }

// Wait waits for events, for a Wake or until the time is over (rounded up to a
// millisecond), and returns the events, perhaps none. The slice is valid until
// the next call of Doze or Wait.
func (p *Poller) Wait(d time.Duration) ([]Event, error) {
	// This call may block, so the Go scheduler has to know.
	n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.raw)), EventBatch, milliseconds(d), 0, 0)
	return p.collect(int(n), e)
}

// Doze is Wait without telling the Go scheduler, and reports whether the time
// was over. It is for waits that are short and many: a wait that the scheduler
// knows of wakes its monitor thread as well, which takes 15 % of the CPU time of
// a loop that answers one connection at a time (bench/floor -doze). The price:
// the caller keeps its P meanwhile, so others need a P of their own
// (GOMAXPROCS), and whatever stops the world has to interrupt the wait by a
// signal, which it does; where signals are switched off (GODEBUG
// asyncpreemptoff=1) it waits for the end of d. Keep d under the 10 ms after
// which the monitor interrupts a goroutine anyway, or little above.
func (p *Poller) Doze(d time.Duration) (events []Event, over bool, err error) {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.raw)), EventBatch, milliseconds(d), 0, 0)
	events, err = p.collect(int(n), e)
	return events, n == 0 && e == 0, err
}

// milliseconds rounds a timeout up for epoll_wait.
func milliseconds(d time.Duration) uintptr {
	return uintptr(max(0, (d+time.Millisecond-1)/time.Millisecond))
}

func (p *Poller) collect(n int, e unix.Errno) ([]Event, error) {
	if e == unix.EINTR {
		return nil, nil
	}
	if e != 0 {
		return nil, os.NewSyscallError("epoll_wait", e)
	}
	events := p.events[:0]
	for i := range p.raw[:n] {
		r := &p.raw[i]
		token := Token(uint32(r.Fd)) | Token(uint32(r.Pad))<<32
		if token == woken {
			drain(p.eventfd)
			continue
		}
		ready := Interest(r.Events) & (Readable | Writable | Ended)
		if r.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			ready = Readable | Writable | Ended
		}
		events = append(events, Event{Token: token, Ready: ready})
	}
	return events, nil
}
