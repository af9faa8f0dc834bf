package http1

import "bytes"

const (
	// MaxHead is the largest request head that is served, in bytes, its blank
	// line included. A buffer of this size is all that a connection ever needs.
	MaxHead = 8192

	// MaxAddrHeaders is how many instances of the client address header are
	// kept. Of more, the last ones are: those are the nearest proxies' own.
	MaxAddrHeaders = 8

	// maxMethod bounds a method, so that noise of token bytes is told from a
	// request early. The longest registered method has 17 bytes.
	maxMethod = 32
)

// Head is one request head. Its slices point into the buffer that was given to
// ParseHead and are valid as long as that buffer's bytes stay as they are. A
// Head is meant to be reused: ParseHead overwrites every result; after an error
// they mean nothing.
type Head struct {
	// AddrHeader is an input: the name of the header whose values are to be
	// collected for ClientAddr, in any letter case. Empty collects nothing.
	AddrHeader []byte

	// From is an input and a result: 0 for a new head; after ErrIncomplete, how
	// far the head was checked. Whoever parses several connections with one
	// Head stores it with the connection, so that a client that dribbles its
	// head costs no repeated work. Any value that an earlier call left for the
	// same bytes is right, 0 always is.
	From int

	// Path is the target's path, never empty, neither decoded nor cleaned.
	Path []byte
	// Query is what follows the first question mark, without it; any byte but
	// SP, CR and LF may be in it.
	Query []byte
	// Host is the authority of an absolute target, or the Host line's value, or
	// empty. It is not validated.
	Host []byte
	// Proto10 says that the request is HTTP/1.0; every later HTTP/1.x is 1.1.
	Proto10 bool
	// KeepAlive says that the client wants the connection kept: the default of
	// its version, changed by its Connection lines.
	KeepAlive bool
	// HEAD says that the reply goes without its body.
	HEAD bool

	addrs    [MaxAddrHeaders][]byte // a ring: instance i is at i % MaxAddrHeaders
	addrSeen int                    // instances that the head held
}

// ParseHead parses the request head at the start of buf. It returns the bytes
// that the head takes, with its blank line and with one empty line before it
// (RFC 9112, 2.2), so that buf[n:] is the next request.
//
// The error is ErrIncomplete, or a *StatusError, and n is 0 with both:
//
//   - 400, also before the head or even its first line is complete: a method
//     that is no token, anything but "method SP target SP HTTP/1.x", a bare CR
//     or LF, a folded line, a space before a colon, a NUL in a header, a target
//     that is neither a path nor http://host/path, a second Host line, and
//     whatever announces a body: a Content-Length that is not 0, comes twice or
//     is malformed, or any Transfer-Encoding.
//   - 405: a well-formed request line with a method other than GET and HEAD.
//   - 414: the request line does not end within MaxHead bytes; 431: the head
//     does not.
//
// How the head was split over calls does not change the verdict. Nothing is
// allocated.
func ParseHead(buf []byte, h *Head) (n int, err error) {
	if len(buf) > MaxHead {
		buf = buf[:MaxHead]
	}
	if h.From > 0 && !resume(buf, h) {
		return 0, ErrIncomplete
	}
	h.From = 0
	n, verdict := h.parse(buf)
	switch {
	case verdict != nil:
		h.From = 0
		return 0, verdict
	case n > 0:
		h.From = 0
		return n, nil
	case len(buf) < MaxHead:
		return 0, ErrIncomplete
	case h.From == 0:
		return 0, ErrTargetTooLong
	}
	h.From = 0
	return 0, ErrHeadTooLong
}

// resume looks at what has come since h.From, the start of a header line, and
// reports whether it is time to parse the whole head: it is complete, has reached
// its limit, or has a fault, which the parse then finds again. So does a line of
// which there may be only one; since there may be only one, that happens few times.
// Each line is thus checked once or twice before the head is complete, and once after.
func resume(buf []byte, h *Head) bool {
	if len(buf) == MaxHead || h.From > len(buf) {
		return true
	}
	for {
		rest := buf[h.From:]
		lf := bytes.IndexByte(rest, '\n')
		if lf < 0 {
			return !partialFieldOK(rest)
		}
		if lf < 2 || rest[lf-1] != '\r' || !fieldOK(rest[:lf-1]) || isSingular(rest) {
			return true
		}
		h.From += lf + 1
	}
}

// parse parses buf from its start. Without a verdict and with n = 0 the head is
// incomplete; h.From is then the start of its first incomplete header line, or
// 0 when that is the request line.
func (h *Head) parse(buf []byte) (n int, verdict *StatusError) {
	start := 0
	if len(buf) > 0 && buf[0] == '\r' {
		if len(buf) == 1 {
			return 0, nil
		}
		if buf[1] != '\n' {
			return 0, ErrRequestLine
		}
		start = 2
	}
	line := buf[start:]
	lf := bytes.IndexByte(line, '\n')
	if lf < 0 {
		if !partialRequestLineOK(line) {
			return 0, ErrRequestLine
		}
		return 0, nil
	}
	if lf == 0 || line[lf-1] != '\r' {
		return 0, ErrRequestLine
	}
	if verdict := h.requestLine(line[:lf-1]); verdict != nil {
		return 0, verdict
	}
	return h.fields(buf, start+lf+1)
}

// fields parses the header lines of buf from p on.
func (h *Head) fields(buf []byte, p int) (n int, verdict *StatusError) {
	var s fieldState
	h.addrSeen = 0
	first, lines := p, 0
	for {
		rest := buf[p:]
		lf := bytes.IndexByte(rest, '\n')
		if lf < 0 {
			if !partialFieldOK(rest) || !valuesOK(buf[first:p], lines) {
				return 0, ErrHeaderLine
			}
			h.From = p
			return 0, nil
		}
		if lf < 2 {
			if lf == 0 || rest[0] != '\r' || !valuesOK(buf[first:p], lines) {
				return 0, ErrHeaderLine
			}
			h.KeepAlive = !s.close && (!h.Proto10 || s.keepAlive)
			return p + 2, nil
		}
		if rest[lf-1] != '\r' {
			return 0, ErrHeaderLine
		}
		line := rest[:lf-1]
		colon := nameEnd(line)
		if colon <= 0 {
			return 0, ErrHeaderLine
		}
		if verdict := h.field(&s, line, colon); verdict != nil {
			return 0, verdict
		}
		p += lf + 1
		lines++
	}
}

// valuesOK checks whole header lines, each known to end in CR LF, for what no
// value may hold: a CR of its own, or a NUL. Two vectorised passes over all
// lines are a third cheaper than two short ones over each.
func valuesOK(section []byte, lines int) bool {
	return bytes.Count(section, crByte) == lines && bytes.IndexByte(section, 0) < 0
}

// crByte is the argument that makes bytes.Count count a single byte.
var crByte = []byte{'\r'}

// AddrInstances returns how many values AddrValue can give.
func (h *Head) AddrInstances() int { return min(h.addrSeen, MaxAddrHeaders) }

// AddrValue returns the value of an instance of the client address header,
// without surrounding white space: 0 is the last one in the head, the nearest
// proxy's, AddrInstances()-1 the first one kept. Its lifetime is the Head's.
func (h *Head) AddrValue(fromLast int) []byte {
	return h.addrs[(h.addrSeen-1-fromLast)%MaxAddrHeaders]
}
