package lab

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// DialContext connects from inside the host: the socket is made there, and from
// then on works like any other. address must hold an IP address and no name.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return h.dial(ctx, net.Dialer{}, network, address)
}

// DialFrom connects by TCP from one of the host's addresses.
func (h *Host) DialFrom(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	return h.dial(ctx, d, "tcp", to.String())
}

func (h *Host) dial(ctx context.Context, d net.Dialer, network, address string) (conn net.Conn, err error) {
	err = h.do(func() (err error) {
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen opens a listener inside the host.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	var listener net.Listener
	err := h.do(func() (err error) {
		listener, err = net.Listen(network, address)
		return err
	})
	return listener, err
}

// HTTPClient returns a client whose requests come from the host. It opens a
// connection for each request and waits five seconds at most.
func (h *Host) HTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: h.DialContext, DisableKeepAlives: true},
		Timeout:   5 * time.Second,
	}
}

// do runs f on a thread that is inside the host's namespace.
func (h *Host) do(f func() error) error {
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer unix.Close(home)
	away, err := unix.Open("/run/netns/"+h.namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer unix.Close(away)
	if err := unix.Setns(away, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = f()
	// A thread that could not come home stays locked, and ends with its goroutine.
	if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
		return back
	}
	runtime.UnlockOSThread()
	return err
}
