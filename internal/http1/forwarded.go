package http1

import (
	"net/netip"

	"spate/internal/ipaddr"
)

// The Forwarded header, RFC 7239, 4:
//
//	for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8::17]:4711"
//	element  = [ pair ] *( ";" [ pair ] )        elements are separated by ","
//	pair     = token "=" ( token / quoted-string )
//	node     = ( IPv4 / "[" IPv6 "]" / "unknown" / "_" name ) [ ":" port ]
//
// More is accepted than the grammar says, as far as it is beyond doubt: white
// space around ";", and addresses that should have been quoted.

// forwardedAddr walks Forwarded lines. Where a quoted string ends is only known
// from the left, so it reads forwards and keeps what the walk from the right
// would stop at: an address that is no trusted proxy, or something that is no
// address. A line whose syntax is broken, say by a quote that the client never
// closed, is beyond use to its end, the proxy's own entry included.
func forwardedAddr(h *Head, trusted *ipaddr.PrefixSet) (netip.Addr, error) {
	var leftmost, stop netip.Addr
	unusable := false // what the walk would stop at is no address
	for i := h.AddrInstances() - 1; i >= 0; i-- {
		for line := h.AddrValue(i); len(line) > 0; {
			e := forwardedElement(line)
			line = e.rest
			switch {
			case e.empty:
			case !e.addr.IsValid():
				stop, unusable = netip.Addr{}, true
			case !trusted.Contains(e.addr):
				stop, unusable = e.addr, false
			case !leftmost.IsValid():
				leftmost = e.addr
			}
		}
	}
	switch {
	case unusable:
		return netip.Addr{}, ErrAddrUnusable
	case stop.IsValid():
		return stop, nil
	}
	return ownNetwork(h, leftmost)
}

// element is one hop of a Forwarded line.
type element struct {
	addr  netip.Addr // of its "for"; invalid when it has none, or no address
	empty bool       // no pair at all
	rest  []byte     // of the line, empty when the element was malformed
}

// forwardedElement reads the first element of line.
func forwardedElement(line []byte) element {
	e := element{empty: true}
	seen, malformed := false, element{}
	for {
		line = trimLeft(line)
		i := 0
		for i < len(line) && tokenByte[line[i]] {
			i++
		}
		if i > 0 {
			if i == len(line) || line[i] != '=' {
				return malformed
			}
			value, rest, ok := forwardedValue(line[i+1:])
			if !ok {
				return malformed
			}
			e.empty = false
			if equalFold(line[:i], "for") {
				if seen {
					return malformed
				}
				seen = true
				e.addr, _ = parseNode(value)
			}
			line = trimLeft(rest)
		}
		if len(line) == 0 {
			return e
		}
		c := line[0]
		line = line[1:]
		switch c {
		case ',':
			e.rest = line
			return e
		case ';':
		default:
			return malformed
		}
	}
}

// forwardedValue reads the value of a pair: a quoted string without its quotes,
// still with its escapes, which no address needs; or what goes up to the next
// separator.
func forwardedValue(line []byte) (value, rest []byte, ok bool) {
	if len(line) > 0 && line[0] == '"' {
		for i := 1; i < len(line); i++ {
			switch line[i] {
			case '\\':
				i++
			case '"':
				return line[1:i], line[i+1:], true
			}
		}
		return nil, nil, false
	}
	i := 0
	for i < len(line) && line[i] != ',' && line[i] != ';' && line[i] != ' ' && line[i] != '\t' {
		if line[i] == '"' {
			return nil, nil, false
		}
		i++
	}
	return line[:i], line[i:], i > 0
}

// trimLeft cuts spaces and tabs from the start.
func trimLeft(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	return v
}
