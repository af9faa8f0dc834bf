//go:build unix

package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNoIPv6 says that the machine has no IPv6. A listener of NetworkTCP6 fails
// with it, so that whoever did not ask for IPv6 can do without.
var ErrNoIPv6 = errors.New("this machine has no IPv6")

// A ListenError says which listener could not be opened. New joins one for each.
type ListenError struct {
	Listener string // its Name, or its network and address
	Err      error  // what failed, and what to do
}

// Error names the listener.
func (e *ListenError) Error() string { return "listener " + e.Listener + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *ListenError) Unwrap() error { return e.Err }

// A socket listens for one Listener.
type socket struct {
	listener *Listener
	fd       int // listening, non-blocking, close-on-exec; -1 once closed or given away
	addr     net.Addr
	// remove is the path of a unix socket's file, and file what it was when
	// it was bound: only that is removed.
	remove string
	file   os.FileInfo
}

// close closes the socket and removes its file. It may be called again.
func (s *socket) close() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
	if s.remove != "" {
		if now, err := os.Lstat(s.remove); err == nil && os.SameFile(now, s.file) {
			_ = os.Remove(s.remove)
		}
		s.remove = ""
	}
}

// bind opens the listening socket of l. With reusePort further sockets can be
// bound to the same address by again. Errors name the listener.
func bind(l *Listener, backlog int, reusePort bool) (*socket, error) {
	var (
		s   *socket
		err error
	)
	switch l.Network {
	case NetworkUnix:
		s, err = bindUnix(l, backlog)
	case NetworkInherited:
		s, err = inherit(l)
	default:
		s, err = bindTCP(l, netip.MustParseAddrPort(l.Address), backlog, reusePort)
	}
	if err != nil {
		return nil, &ListenError{Listener: l.String(), Err: err}
	}
	return s, nil
}

// again binds one more socket to the address of s, which was bound with
// reusePort. The kernel spreads connections over all of them.
func (s *socket) again(backlog int) (*socket, error) {
	n, err := openTCP(s.listener, s.addr.(*net.TCPAddr).AddrPort(), backlog, true)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", s.listener, err)
	}
	return n, nil
}

func bindTCP(l *Listener, at netip.AddrPort, backlog int, reusePort bool) (*socket, error) {
	if reusePort && at.Port() != 0 {
		// With SO_REUSEPORT a second process of the same user binds without
		// an error and takes half of the connections. A socket without it
		// finds that process.
		probe, err := openTCP(l, at, 0, false)
		if err != nil {
			return nil, explainTCP(at, err)
		}
		probe.close()
	}
	s, err := openTCP(l, at, backlog, reusePort)
	if err != nil {
		return nil, explainTCP(at, err)
	}
	return s, nil
}

// openTCP binds a socket, and lets it listen when backlog is not 0.
func openTCP(l *Listener, at netip.AddrPort, backlog int, reusePort bool) (*socket, error) {
	family := unix.AF_INET
	if at.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := newSocket(family)
	if err != nil {
		return nil, err
	}
	s := &socket{listener: l, fd: fd}
	if err := s.bindTCP(at, reusePort); err != nil {
		s.close()
		return nil, err
	}
	if backlog != 0 {
		if err := unix.Listen(fd, backlog); err != nil {
			s.close()
			return nil, os.NewSyscallError("listen", err)
		}
	}
	return s, nil
}

func (s *socket) bindTCP(at netip.AddrPort, reusePort bool) error {
	// Without SO_REUSEADDR a restart fails while old connections are in
	// TIME_WAIT.
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
	}
	if reusePort {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return os.NewSyscallError("setsockopt SO_REUSEPORT", err)
		}
	}
	var sa unix.Sockaddr
	if at.Addr().Is4() {
		sa = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	} else {
		only := 1
		if s.listener.DualStack {
			only = 0
		}
		if err := unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return os.NewSyscallError("setsockopt IPV6_V6ONLY", err)
		}
		sa6 := &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
		if zone := at.Addr().Zone(); zone != "" {
			ifi, err := net.InterfaceByName(zone)
			if err != nil {
				return err
			}
			sa6.ZoneId = uint32(ifi.Index)
		}
		sa = sa6
	}
	if err := unix.Bind(s.fd, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	var err error
	s.addr, err = localAddr(s.fd)
	return err
}

// explainTCP adds to an error what it means and what to do.
func explainTCP(at netip.AddrPort, err error) error {
	v6 := at.Addr().Is6()
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%s is in use by another process: stop that one, or configure another port: %w", at, err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("no permission to listen on %s: ports below 1024 need root (with drop_privileges), a socket unit of systemd, CAP_NET_BIND_SERVICE or a lower net.ipv4.ip_unprivileged_port_start: %w", at, err)
	case v6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT)),
		v6 && errors.Is(err, unix.EADDRNOTAVAIL) && (at.Addr().IsUnspecified() || at.Addr().IsLoopback()):
		return fmt.Errorf("%s: %w: %w", at, ErrNoIPv6, err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("this machine does not have the address %s: %w", at.Addr(), err)
	}
	return fmt.Errorf("%s: %w", at, err)
}

func newSocket(family int) (int, error) {
	// The lock keeps a fork between socket and close-on-exec from leaking the
	// descriptor; not every system has SOCK_CLOEXEC.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, os.NewSyscallError("setnonblock", err)
	}
	return fd, nil
}

// localAddr returns the address that a socket is bound to.
func localAddr(fd int) (net.Addr, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))), nil
	case *unix.SockaddrInet6:
		a := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			if ifi, err := net.InterfaceByIndex(int(sa.ZoneId)); err == nil {
				a = a.WithZone(ifi.Name)
			}
		}
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, uint16(sa.Port))), nil
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: "unix"}, nil
	}
	return nil, errors.New("the socket is neither TCP nor unix")
}

// maxUnixPath leaves room for the NUL byte that ends a path.
const maxUnixPath = len(unix.RawSockaddrUnix{}.Path) - 1

func bindUnix(l *Listener, backlog int) (*socket, error) {
	abstract := strings.HasPrefix(l.Address, "@")
	if !abstract {
		if err := removeStale(l.Address); err != nil {
			return nil, err
		}
	}
	if n := len(l.Address); n > maxUnixPath {
		return nil, fmt.Errorf("the path has %d bytes, that of a unix socket may have %d", n, maxUnixPath)
	}
	fd, err := newSocket(unix.AF_UNIX)
	if err != nil {
		return nil, err
	}
	s := &socket{listener: l, fd: fd, addr: &net.UnixAddr{Name: l.Address, Net: "unix"}}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: l.Address}); err != nil {
		s.close()
		if errors.Is(err, unix.EADDRINUSE) {
			return nil, fmt.Errorf("%s is in use by another process: %w", l.Address, err)
		}
		return nil, os.NewSyscallError("bind "+l.Address, err)
	}
	if !abstract {
		if err := s.own(); err != nil {
			s.close()
			return nil, err
		}
	}
	// Nobody can connect before this, so mode and owner hold from the first
	// connection on.
	if err := unix.Listen(fd, backlog); err != nil {
		s.close()
		return nil, os.NewSyscallError("listen", err)
	}
	return s, nil
}

// own sets the mode and the owner of a unix socket's file and remembers it. It
// does not follow a link out of the directory: where others may write there, the
// file can be another one by now.
func (s *socket) own() error {
	path := s.listener.Address
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(path)
	if s.file, err = dir.Lstat(name); err != nil {
		return err
	}
	s.remove = path
	if o := s.listener.Owner; o != nil {
		if err := dir.Lchown(name, o.UID, o.GID); err != nil {
			return err
		}
	}
	if s.listener.Mode != 0 {
		return dir.Chmod(name, s.listener.Mode.Perm())
	}
	return nil
}

// removeStale removes a socket file that nobody listens behind. A file that is
// no socket, and one that somebody answers at, is an error.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is no socket: remove it, or configure another path", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("another process listens at %s: %w", path, unix.EADDRINUSE)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%s exists and cannot be tested for a listener: %w", path, err)
	}
	return os.Remove(path)
}

// inherit takes over a copy of a listening socket that was passed to the
// process.
func inherit(l *Listener) (*socket, error) {
	syscall.ForkLock.RLock()
	fd, err := unix.Dup(int(l.File.Fd()))
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	s := &socket{listener: l, fd: fd}
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil && listens == 0 {
		err = errors.New("the passed socket does not listen: it needs ListenStream= in its unit")
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		s.addr, err = localAddr(fd)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}
