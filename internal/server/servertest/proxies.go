package servertest

import (
	"net/netip"
	"testing"

	"spate/internal/http1"
	"spate/internal/server"
)

// proxies holds whose request one is that comes through a proxy.
func (c Carrier) proxies(t *testing.T) {
	t.Run("header", c.header)
	t.Run("header from anyone", c.untrustedHeader)
	if c.Wrap == nil {
		t.Run("PROXY protocol", c.proxyProtocol)
		t.Run("PROXY protocol and silence", c.silentProxyProtocol)
		t.Run("PROXY protocol from anyone", c.untrustedProxyProtocol)
	}
}

func (c Carrier) proxyConfig(mode server.Proxy, trusted string) server.Config {
	cfg := c.config()
	cfg.Listeners[0].Proxy = mode
	cfg.ClientHeader = "x-forwarded-for"
	cfg.ClientHeaderFormat = http1.AddrFormatLast
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(trusted)}
	return cfg
}

func (c Carrier) header(t *testing.T) {
	s := c.start(t, c.proxyConfig(server.ProxyHeader, "127.0.0.0/8"))
	conn := s.dial()
	for _, test := range []struct{ lines, want string }{
		{"X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7 /announce?"},
		{"X-FORWARDED-FOR: 192.0.2.1, 2001:db8::5, 127.0.0.3\r\n", "2001:db8::5 /announce?"},
		{"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: ::ffff:192.0.2.9\r\n", "192.0.2.9 /announce?"},
		{"", "no client"},
		{"X-Forwarded-For: 192.0.2.1, nonsense\r\n", "no client"},
	} {
		s.send(conn, get("/announce", test.lines))
		s.expect(conn, reply(test.want))
	}
	// A proxy that only asks whether anybody is there names no client.
	s.send(conn, get("/"))
	s.expect(conn, reply("the index\n"))
	s.await("two requests without a client", func(st server.Stats) bool {
		return value(t, st.Requests4, "no_client_address") == 2
	})
}

func (c Carrier) untrustedHeader(t *testing.T) {
	s := c.start(t, c.proxyConfig(server.ProxyHeader, "192.0.2.0/24"))
	conn := s.dial()
	s.send(conn, get("/announce", "X-Forwarded-For: 192.0.2.7\r\n"))
	s.expect(conn, reply(echo))
}

func (c Carrier) proxyProtocol(t *testing.T) {
	s := c.start(t, c.proxyConfig(server.ProxyProtocol, "127.0.0.1/32"))
	v2 := "\r\n\r\n\x00\r\nQUIT\n"
	for name, test := range map[string]struct{ header, want string }{
		"version 1":         {"PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n", "192.0.2.7"},
		"version 1, IPv6":   {"PROXY TCP6 2001:db8::7 2001:db8::1 5000 80\r\n", "2001:db8::7"},
		"version 1 unknown": {"PROXY UNKNOWN\r\n", "127.0.0.1"},
		"version 2":         {v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\x13\x88\x00\x50", "192.0.2.7"},
		"version 2, TLV":    {v2 + "\x21\x11\x00\x10\xc0\x00\x02\x07\xc0\x00\x02\x01\x13\x88\x00\x50\x04\x00\x01\x00", "192.0.2.7"},
		"version 2, local":  {v2 + "\x20\x00\x00\x00", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Server{Server: s.Server, t: t, c: c}
			want := reply(test.want + " /announce?")
			conn := s.dial()
			s.send(conn, test.header+get("/announce")+get("/announce"))
			s.expect(conn, want+want)
			s.send(conn, get("/announce"))
			s.expect(conn, want)

			bytewise := s.dial()
			for _, b := range []byte(test.header + get("/announce")) {
				s.send(bytewise, string([]byte{b}))
			}
			s.expect(bytewise, want)
		})
	}
	for _, bad := range []string{get("/announce"), "PROXY TCP4 nonsense", "\x16\x03\x01"} {
		conn := s.dial()
		s.send(conn, bad)
		s.expectGone(conn)
	}
	s.awaitEnd("proxy_header", 3)
}

// silentProxyProtocol: the deadline of the first head runs since the connection's
// start, whatever the proxy has sent before it.
func (c Carrier) silentProxyProtocol(t *testing.T) {
	cfg := c.proxyConfig(server.ProxyProtocol, "127.0.0.1/32")
	cfg.HeadTimeout = brief
	s := c.start(t, cfg)
	conn := s.dial()
	s.send(conn, "PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n")
	s.expectEnd(conn, "")
	s.awaitEnd("head_timeout", 1)
}

func (c Carrier) untrustedProxyProtocol(t *testing.T) {
	s := c.start(t, c.proxyConfig(server.ProxyProtocol, "192.0.2.0/24"))
	conn := s.dial()
	s.send(conn, "PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n"+get("/announce"))
	s.expectGone(conn)
	s.awaitEnd("proxy_header", 1)
}
