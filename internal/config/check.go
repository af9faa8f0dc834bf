package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"spate/internal/tomlfile"
)

// Validate returns the values that are right each, and wrong together, as a
// tomlfile.Problems, or nil. Load has done it already; it is for a Config that was
// made otherwise.
func (c *Config) Validate() error { return c.source.Merge(nil, c.validate()).Err() }

func (c *Config) validate() (f tomlfile.Problems) {
	c.validateNetwork(&f)
	for i := range c.Listeners {
		c.validateListener(&f, i)
	}
	for i, cert := range c.TLS.Certificates {
		if cert.CertificatePath == "" {
			f.Add(fmt.Sprintf("tls.certificates[%d].certificate_path", i), "is missing: needs the path of a certificate")
		}
	}
	if c.Protocol.MinAnnounceInterval > c.Protocol.PeerAnnounceInterval {
		f.Add("protocol.min_announce_interval", "is longer than peer_announce_interval = %d: clients could not keep both", c.Protocol.PeerAnnounceInterval)
	}
	if c.AccessList.Mode != AccessOff && c.AccessList.Path == "" {
		f.Add("access_list.path", "is missing: mode = %q needs the path of a list", c.AccessList.Mode)
	}
	if !isMetricName(c.Metrics.Namespace) {
		f.Add("metrics.namespace", "needs a word of letters, digits and underscores that starts with a letter")
	}
	if c.Privileges.DropPrivileges {
		for _, key := range []struct{ name, value string }{
			{"chroot_path", c.Privileges.ChrootPath}, {"group", c.Privileges.Group}, {"user", c.Privileges.User},
		} {
			if key.value == "" {
				f.Add("privileges."+key.name, "is missing: drop_privileges needs it")
			}
		}
	}
	c.validateACME(&f)
	c.validateAdmin(&f)
	c.validateEndpoints(&f)
	return f
}

func (c *Config) validateNetwork(f *tomlfile.Problems) {
	n := &c.Network
	if !n.UseIPv4 && !n.UseIPv6 && len(c.Listeners) == 0 {
		f.Add("network.use_ipv4", "nothing is left to listen on: needs use_ipv4, use_ipv6 or a [[listeners]] table")
	}
	if n.EnableTLS && n.TLSCertificatePath == "" && len(c.TLS.ACME.Domains) == 0 {
		f.Add("network.tls_certificate_path", "is missing: enable_tls needs a certificate, or [tls.acme] domains to get some for")
	}
	if n.TLSPrivateKeyPath != "" && n.TLSCertificatePath == "" && !n.EnableTLS {
		f.Add("network.tls_certificate_path", "is missing: tls_private_key_path alone serves nothing")
	}
	if name := n.ReverseProxyIPHeaderName; name == "" && c.readsHeader() || strings.Trim(name, headerNameChars) != "" {
		f.Add("network.reverse_proxy_ip_header_name", `needs the name of a header such as "X-Forwarded-For"`)
	}
	if n.ProxyProtocol && n.RunsBehindReverseProxy {
		f.Add("network.proxy_protocol", "excludes runs_behind_reverse_proxy: a client's address comes from one of them")
	}
}

// readsHeader reports whether a listener finds its clients' addresses in a header.
func (c *Config) readsHeader() bool {
	return c.Network.RunsBehindReverseProxy ||
		slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Proxy == ProxyHeader })
}

const headerNameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

func (c *Config) validateListener(f *tomlfile.Problems, i int) {
	l, at := &c.Listeners[i], fmt.Sprintf("listeners[%d].", i)
	kind, rest, err := l.Endpoint()
	switch {
	case l.Address == "":
		f.Add(at+"address", `is missing: needs an address such as "192.0.2.1:3000", "unix:/run/spate/http.sock" or "systemd:NAME"`)
	case err != nil:
		f.Add(at+"address", "%v", err)
	}
	if kind != EndpointUnix || strings.HasPrefix(rest, "@") {
		for _, key := range []struct {
			name string
			set  bool
		}{{"owner", l.Owner != ""}, {"group", l.Group != ""}, {"mode", l.Mode != DefaultListener().Mode}} {
			if key.set && err == nil {
				f.Add(at+key.name, "is for the file of a unix socket, and %q has none", l.Address)
			}
		}
	}
	if l.TLS && !c.hasCertificate() {
		f.Add(at+"tls", "needs a certificate: give [network] tls_certificate_path, a [[tls.certificates]] table or [tls.acme] domains")
	}
}

func (c *Config) hasCertificate() bool {
	return c.Network.TLSCertificatePath != "" || len(c.TLS.Certificates) > 0 || len(c.TLS.ACME.Domains) > 0
}

func (c *Config) validateAdmin(f *tomlfile.Problems) {
	if c.Admin.Address == "" {
		return
	}
	l := Listener{Address: c.Admin.Address}
	kind, rest, err := l.Endpoint()
	switch {
	case err != nil || kind == EndpointSystemd:
		f.Add("admin.address", `needs an address and port such as "127.0.0.1:3001", or "unix:/run/spate/admin.sock"`)
	case c.Admin.Token == "" && !isPrivate(kind, rest):
		f.Add("admin.token", "is missing: address = %q can be reached by others", c.Admin.Address)
	case c.Admin.Token == tomlfile.NotShown:
		f.Add("admin.token", "is what -P prints instead of a token: needs the token itself")
	case strings.ContainsFunc(c.Admin.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		f.Add("admin.token", "needs visible ASCII characters only: no header can carry others") // without the token
	}
}

// isPrivate reports whether only users of this machine reach an address, and of a
// socket's file only those who may write to it. An abstract socket has no permissions.
func isPrivate(kind EndpointKind, rest string) bool {
	if kind == EndpointUnix {
		return !strings.HasPrefix(rest, "@")
	}
	return netip.MustParseAddrPort(rest).Addr().IsLoopback()
}

func isMetricName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	return s != "" && strings.Trim(s[:1], letters) == "" && strings.Trim(s, letters+"0123456789") == ""
}
