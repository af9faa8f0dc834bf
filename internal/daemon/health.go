package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"spate/internal/config"
)

// AskHealth asks a running tracker at the URL address. Nil means that it answers with
// status 200.
func AskHealth(ctx context.Context, address string) error {
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is no URL that can be asked: needs one such as http://127.0.0.1:3001/health", address)
	}
	return askHealth(ctx, address, "", new(net.Dialer).DialContext)
}

// AskHealthOf asks the tracker that runs on this machine with cfg: its admin
// listener, or else one of its own listeners.
func AskHealthOf(ctx context.Context, cfg *config.Config) error {
	network, address, scheme, path := healthEndpoint(cfg)
	if address == "" {
		return errors.New("no listener of the configuration can be asked: set [admin] address")
	}
	host := address
	if network == "unix" {
		host = "localhost"
	}
	return askHealth(ctx, scheme+"://"+host+path, cfg.Admin.Token, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	})
}

// healthEndpoint returns where a tracker with cfg can be asked.
func healthEndpoint(cfg *config.Config) (network, address, scheme, path string) {
	n := &cfg.Network
	scheme, path = "http", "/"
	if n.EnableTLS {
		scheme = "https"
	}
	direct := !n.ProxyProtocol
	switch {
	case cfg.Admin.Address != "":
		l := config.Listener{Address: cfg.Admin.Address}
		kind, rest, err := l.Endpoint()
		if err == nil && kind == config.EndpointUnix {
			return "unix", rest, "http", "/health"
		}
		return "tcp", local(rest), "http", "/health"
	case n.UseIPv4 && direct:
		return "tcp", local(n.AddressIPv4.String()), scheme, path
	case n.UseIPv6 && direct:
		return "tcp", local(n.AddressIPv6.String()), scheme, path
	}
	for i := range cfg.Listeners {
		l := &cfg.Listeners[i]
		kind, rest, err := l.Endpoint()
		if err != nil || l.Proxy == config.ProxyProtocol || kind == config.EndpointSystemd {
			continue
		}
		scheme = "http"
		if l.TLS {
			scheme = "https"
		}
		if kind == config.EndpointUnix {
			return "unix", rest, scheme, path
		}
		return "tcp", local(rest), scheme, path
	}
	return "", "", "", ""
}

// local replaces the address of all interfaces by this machine's own.
func local(address string) string {
	a, err := netip.ParseAddrPort(address)
	switch {
	case err != nil || !a.Addr().IsUnspecified():
		return address
	case a.Addr().Is4():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), a.Port()).String()
}

func askHealth(ctx context.Context, address, token string, dial func(ctx context.Context, network, address string) (net.Conn, error)) error {
	// The certificate is for the tracker's clients and their name of it; here it
	// only has to be there.
	client := http.Client{Transport: &http.Transport{
		DialContext: dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	reply, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		// The body is only a help; what of it cannot be read is left out.
		body, _ := io.ReadAll(io.LimitReader(reply.Body, 1<<10))
		return fmt.Errorf("not healthy: %s: %s", reply.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
