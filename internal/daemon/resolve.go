package daemon

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
)

// resolvConf names the servers that names are looked up at. It is out of reach
// once the root directory has changed.
const resolvConf = "/etc/resolv.conf"

// readNameservers returns the addresses of the name servers in a file of the form
// of resolv.conf(5), none where it cannot be read.
func readNameservers(path string) (servers []string) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil // the resolver has a default, which is this machine
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if _, err := netip.ParseAddr(fields[1]); err == nil {
			servers = append(servers, net.JoinHostPort(fields[1], "53"))
		}
	}
	return servers
}

// dialFromInside returns a function that connects to a name, looked up at these
// servers whatever the file says by then. Nil servers are the usual ones.
func dialFromInside(servers []string) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{}
	if len(servers) > 0 {
		var next atomic.Uint32
		d.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			// The resolver tries again when a server does not answer: at the next one.
			server := servers[int(next.Add(1)-1)%len(servers)]
			return new(net.Dialer).DialContext(ctx, network, server)
		}}
	}
	return d.DialContext
}
