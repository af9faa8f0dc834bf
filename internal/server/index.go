package server

// indexPage returns Config.IndexPage with Config.IndexLink as a URL of the host
// that the client asked for. Behind a proxy only the path is sure, and so it is
// without a usable Host. The page lasts until the next request.
func (x *exchange) indexPage(p *peer) []byte {
	cfg, host := &x.rules.cfg, x.head.Host
	page := append(x.body[:0], cfg.IndexPage...)
	if cfg.IndexLink != "" {
		if p.via == ProxyNone && p.client.IsValid() && isAuthority(host) {
			scheme := "http://"
			if x.secure {
				scheme = "https://"
			}
			page = append(append(page, scheme...), host...)
		}
		page = append(append(page, cfg.IndexLink...), '\n')
	}
	x.body = page[:0]
	return page
}

// maxAuthority bounds a host that is repeated, in bytes: the longest domain name
// (RFC 1035, section 2.3.4) and a port.
const maxAuthority = 255 + len(":65535")

// isAuthority reports whether host is made of what a host and a port are made
// of. It comes from the client, and goes into a page for people.
func isAuthority(host []byte) bool {
	for _, c := range host {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '-', c == ':', c == '[', c == ']', c == '_':
		default:
			return false
		}
	}
	return len(host) > 0 && len(host) <= maxAuthority
}
