package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"spate/internal/config"
)

// closePassed closes what the service manager passed; the server has copies. It
// returns the names of those that nobody serves.
func (d *Daemon) closePassed() (unserved []string) {
	for name, files := range d.passed {
		for _, f := range files {
			_ = f.Close() // a socket that listens
		}
		if d.serving(name) == nil {
			unserved = append(unserved, name)
		}
	}
	d.passed = nil
	slices.Sort(unserved)
	return unserved
}

// serving returns the [[listeners]] table that serves the sockets passed under a name.
func (d *Daemon) serving(name string) *config.Listener {
	for i := range d.cfg.Listeners {
		l := &d.cfg.Listeners[i]
		if kind, rest, err := l.Endpoint(); err == nil && kind == config.EndpointSystemd && rest == name {
			return l
		}
	}
	return nil
}

// addressOf returns the address that the configuration gives at path, "" for a key
// that is none of a listener's.
func (d *Daemon) addressOf(path string) string {
	switch path {
	case "network.address_ipv4":
		return d.cfg.Network.AddressIPv4.String()
	case "network.address_ipv6":
		return d.cfg.Network.AddressIPv6.String()
	}
	for i := range d.cfg.Listeners {
		if path == fmt.Sprintf("listeners[%d].address", i) {
			return d.cfg.Listeners[i].Address
		}
	}
	return ""
}

// passedInstead says which passed socket is the reason for the error err of listening
// on address, "" where none is. To the system it is one in use like any other.
func (d *Daemon) passedInstead(address string, err error) string {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return ""
	}
	for name, files := range d.passed {
		if !slices.ContainsFunc(files, func(f *os.File) bool { return listensOn(f, address) }) {
			continue
		}
		if l := d.serving(name); l != nil {
			return fmt.Sprintf("the service manager has opened it, and [[listeners]] address = %q serves it: needs another one, or none", l.Address)
		}
		return fmt.Sprintf("the service manager has opened it and passed it as %q: serve it by a [[listeners]] table with address = %q instead, or take it out of the socket unit", name, "systemd:"+name)
	}
	return ""
}

// listensOn reports whether the socket f has something of what address, as it is
// configured, asks for.
func listensOn(f *os.File, address string) bool {
	l, err := net.FileListener(f)
	if err != nil {
		return false
	}
	defer l.Close()
	switch have := l.Addr().(type) {
	case *net.TCPAddr:
		want, err := netip.ParseAddrPort(address)
		if err != nil || int(want.Port()) != have.Port {
			return false
		}
		at := have.AddrPort().Addr().Unmap()
		return at == want.Addr() || at.IsUnspecified() || want.Addr().IsUnspecified()
	case *net.UnixAddr:
		path, isUnix := strings.CutPrefix(address, "unix:")
		return isUnix && filepath.Clean(path) == filepath.Clean(have.Name)
	}
	return false
}
