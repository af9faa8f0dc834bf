package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"

	"spate/internal/config"
	"spate/internal/server"
	"spate/internal/tomlfile"
)

// A listener is a server.Listener with the key of the configuration that asked
// for it.
type listener struct {
	server.Listener
	path string // such as "network.address_ipv4" or "listeners[0].address"
}

// bind makes the server, with all listeners that the configuration names.
func (d *Daemon) bind() error {
	listeners, refused := d.wantedListeners()
	if len(listeners) == 0 {
		return refused
	}
	return errors.Join(refused, d.listenOn(listeners))
}

// listenOn makes the server with these listeners, or without IPv6 where that
// is missing and nobody asked for it.
func (d *Daemon) listenOn(listeners []listener) error {
	err := d.listen(listeners)
	if !errors.Is(err, server.ErrNoIPv6) || d.asksForIPv6() {
		return err
	}
	// Nobody asked for IPv6, it is only on by default.
	without := listeners[:0:0]
	for _, l := range listeners {
		if l.path != "network.address_ipv6" {
			without = append(without, l)
		}
	}
	if len(without) == len(listeners) || len(without) == 0 {
		return err
	}
	d.log.Warn("this machine has no IPv6: listening on IPv4 only")
	return d.listen(without)
}

// asksForIPv6 reports whether the configuration file wants IPv6 on the default
// pair of listeners.
func (d *Daemon) asksForIPv6() bool {
	return d.cfg.IsSet("network.use_ipv6") || d.cfg.IsSet("network.address_ipv6")
}

// listen makes the server with these listeners.
func (d *Daemon) listen(listeners []listener) error {
	cfg := serverConfig(&d.cfg)
	cfg.MaxHeld = d.maxHeld
	for _, l := range listeners {
		cfg.Listeners = append(cfg.Listeners, l.Listener)
	}
	cfg.Clock = d.clock
	d.offerACME(&cfg)
	var err error
	d.server, err = server.New(cfg, d.newHandler, d.limited.logger())
	if err != nil {
		return d.byKey(err)
	}
	d.listeners = listeners
	return nil
}

// byKey replaces the listeners in an error of the server by the keys of the
// configuration that asked for them.
func (d *Daemon) byKey(err error) error {
	joined, isJoined := err.(interface{ Unwrap() []error })
	if !isJoined {
		var one *server.ListenError
		if errors.As(err, &one) {
			if text := d.passedInstead(d.addressOf(one.Listener), one.Err); text != "" {
				return d.cfg.Problem(one.Listener, "%s", text)
			}
			return &keyedError{d.cfg.Problem(one.Listener, "%v", one.Err), one.Err}
		}
		var pair *server.CertificateError
		if errors.As(err, &pair) {
			return &keyedError{d.cfg.Problem(d.certificateKey(pair.Files), "%v", pair.Err), pair.Err}
		}
		return err
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, d.byKey(e))
	}
	return errors.Join(errs...)
}

// A keyedError is an error that reads like a problem of the configuration.
type keyedError struct {
	tomlfile.Problem
	err error
}

// Unwrap returns the error that the problem tells of.
func (e *keyedError) Unwrap() error { return e.err }

// newHandler makes what answers the requests of one worker.
func (d *Daemon) newHandler() server.Handler {
	return &tracedWorker{Worker: d.tracker.NewWorker(), log: d.log, addresses: d.cfg.Log.LogAddresses}
}

// wantedListeners returns the listeners of the configuration that can be tried.
// The error says why the others cannot.
func (d *Daemon) wantedListeners() ([]listener, error) {
	all := d.defaultPair()
	var problems tomlfile.Problems
	for i := range d.cfg.Listeners {
		c := &d.cfg.Listeners[i]
		path := fmt.Sprintf("listeners[%d].address", i)
		kind, rest, err := c.Endpoint()
		if err != nil {
			continue // Validate has said so
		}
		if d.checking && kind == config.EndpointSystemd && len(d.passed) == 0 {
			d.log.Info(c.Address + " is opened by the service manager: a check does not see it")
			// In its place, so that what belongs to it is checked.
			kind, rest = config.EndpointTCP, "127.0.0.1:0"
		}
		more, err := further(c, kind, rest, d.passed)
		if err != nil {
			problems = append(problems, d.cfg.Problem(path, "%v", err))
		}
		for _, l := range more {
			l.Name = path
			all = append(all, listener{l, path})
		}
	}
	return all, problems.Err()
}

// defaultPair returns the listeners of [network].
func (d *Daemon) defaultPair() (pair []listener) {
	n := &d.cfg.Network
	add := func(path string, l server.Listener) {
		l.Name, l.TLS = path, n.EnableTLS
		switch {
		case n.ProxyProtocol:
			l.Proxy = server.ProxyProtocol
		case n.RunsBehindReverseProxy:
			l.Proxy = server.ProxyHeader
		}
		pair = append(pair, listener{l, path})
	}
	if n.UseIPv4 {
		add("network.address_ipv4", server.Listener{Network: server.NetworkTCP4, Address: n.AddressIPv4.String()})
	}
	if n.UseIPv6 {
		add("network.address_ipv6", server.Listener{Network: server.NetworkTCP6, Address: n.AddressIPv6.String(), DualStack: n.DualStack()})
	}
	return pair
}

// further returns the listeners of a [[listeners]] table: one, or one for each
// socket that systemd passed under a name.
func further(c *config.Listener, kind config.EndpointKind, rest string, passed map[string][]*os.File) ([]server.Listener, error) {
	l := server.Listener{Address: rest, TLS: c.TLS, Proxy: serverProxy(c.Proxy)}
	switch kind {
	case config.EndpointTCP:
		l.Network = server.NetworkTCP4
		if netip.MustParseAddrPort(rest).Addr().Is6() {
			l.Network = server.NetworkTCP6
		}
	case config.EndpointUnix:
		l.Network, l.Mode = server.NetworkUnix, fs.FileMode(c.Mode)
		var err error
		if l.Owner, err = owner(c); err != nil {
			return nil, err
		}
	case config.EndpointSystemd:
		l.Network = server.NetworkInherited
		if len(passed[rest]) == 0 {
			return nil, errors.New(noSocket(rest, passed))
		}
		var all []server.Listener
		for _, l.File = range passed[rest] {
			all = append(all, l)
		}
		return all, nil
	}
	return []server.Listener{l}, nil
}

func noSocket(name string, passed map[string][]*os.File) string {
	if len(passed) == 0 {
		return "no socket was passed to the process: it has to be started by a systemd socket unit"
	}
	names := make([]string, 0, len(passed))
	for n := range passed {
		names = append(names, strconv.Quote(n))
	}
	return fmt.Sprintf("no socket named %q was passed to the process, but %v: see FileDescriptorName= of the socket unit", name, names)
}

// owner returns the owner of a unix socket's file, nil when none is configured.
func owner(c *config.Listener) (*server.Owner, error) {
	if c.Owner == "" && c.Group == "" {
		return nil, nil
	}
	o := &server.Owner{UID: -1, GID: -1}
	var err error
	if c.Owner != "" {
		if o.UID, err = userID(c.Owner); err != nil {
			return nil, err
		}
	}
	if c.Group != "" {
		if o.GID, err = groupID(c.Group); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// userID returns the number of a user given by name or number.
func userID(name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("there is no user %q on this machine", name)
	}
	return strconv.Atoi(u.Uid)
}

// groupID returns the number of a group given by name or number.
func groupID(name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("there is no group %q on this machine", name)
	}
	return strconv.Atoi(g.Gid)
}

// logListeners says where the tracker listens and what to put into a torrent.
func (d *Daemon) logListeners() {
	for i, addr := range d.Addrs() {
		l := &d.listeners[i]
		say := d.log.With("address", addr.String())
		if l.TLS {
			say = say.With("tls", true)
		}
		switch url := d.announceURL(l, addr); {
		case url != "":
			notice(say, "listening", "announce_url", url)
		case l.Proxy != server.ProxyNone:
			notice(say, "listening for a reverse proxy")
		case addr.Network() == "tcp":
			notice(say, "listening, although no interface has an address of this family yet")
		default:
			notice(say, "listening on a unix socket")
		}
	}
}

// urls returns the announce URLs of the listeners that clients reach directly.
func (d *Daemon) urls() (urls []string) {
	for i, addr := range d.Addrs() {
		if url := d.announceURL(&d.listeners[i], addr); url != "" {
			urls = append(urls, url)
		}
	}
	return urls
}

// announceURL returns the URL that clients on other machines reach a listener
// by, as far as this machine knows, and "" where they reach a proxy instead, or
// nothing, since the machine has no address of the listener's family.
func (d *Daemon) announceURL(l *listener, addr net.Addr) string {
	tcp, isTCP := addr.(*net.TCPAddr)
	if !isTCP || l.Proxy != server.ProxyNone {
		return ""
	}
	at := tcp.AddrPort()
	if l.TLS {
		if name := d.secureName(); name != "" {
			return "https://" + net.JoinHostPort(name, strconv.Itoa(int(at.Port()))) + "/announce"
		}
	}
	scheme := "http"
	if l.TLS {
		scheme = "https"
	}
	if at.Addr().IsUnspecified() {
		best := reachable(at.Addr().Is4(), interfaceAddrs())
		if !best.IsValid() {
			return ""
		}
		at = netip.AddrPortFrom(best, at.Port())
	}
	return scheme + "://" + at.String() + "/announce"
}

// secureName returns the first name that there is, or will be, a certificate for.
func (d *Daemon) secureName() string {
	for _, c := range d.server.Certificates() {
		if name := certificateName(&c); len(c.Names) > 0 && !strings.HasPrefix(name, "*") {
			return name
		}
	}
	if domains := d.cfg.TLS.ACME.Domains; len(domains) > 0 {
		return domains[0]
	}
	return ""
}

// interfaceAddrs returns this machine's addresses, those of the loopback interface
// where they cannot be found out.
func interfaceAddrs() []net.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return []net.Addr{
			&net.IPNet{IP: net.IPv4(127, 0, 0, 1), Mask: net.CIDRMask(8, 32)},
			&net.IPNet{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		}
	}
	return all
}

// reachable returns the address of a family that most others can reach: a
// public one, else a private one, else the loopback address. It is invalid where
// there is none.
func reachable(is4 bool, interfaces []net.Addr) (best netip.Addr) {
	for _, a := range interfaces {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if ip := prefix.Addr().Unmap(); ip.Is4() == is4 && reach(ip) > reach(best) {
			best = ip
		}
	}
	return best
}

// reach orders addresses by how many others can reach them.
func reach(ip netip.Addr) int {
	switch {
	case !ip.IsValid():
		return 0
	case ip.IsLoopback():
		return 1
	case !ip.IsGlobalUnicast():
		return 0 // an address of one link needs its zone in a URL
	case ip.IsPrivate():
		return 2
	}
	return 3
}
