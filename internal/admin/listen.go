package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

// socketMode lets the owner and the group of a unix socket in.
const socketMode fs.FileMode = 0o660

// listen binds address, which has been checked. 0.0.0.0 takes IPv4 only, [::] takes
// IPv4 too. The file of a unix socket that nobody listens on any more is replaced.
func listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, unixPrefix)
	if !isUnix {
		network := "tcp"
		if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Is4() {
			network = "tcp4" // "tcp" would take both families for 0.0.0.0
		}
		return net.Listen(network, address)
	}
	if strings.HasPrefix(address, abstractPrefix) {
		return net.Listen("unix", path)
	}
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && isStale(path) {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("the socket of an earlier run is in the way: %w", err)
		}
		l, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// isStale reports whether path is a socket that nobody listens on.
func isStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
