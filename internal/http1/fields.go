package http1

// fieldState is what the header lines of one head add up to.
type fieldState struct {
	host          bool // a Host line was seen
	contentLength bool // a Content-Length line was seen
	close         bool // Connection: close
	keepAlive     bool // Connection: keep-alive
}

// field takes a header line whose name ends at colon. The length of the name is
// looked at first, which spares nearly every comparison.
func (h *Head) field(s *fieldState, line []byte, colon int) *StatusError {
	name := line[:colon]
	switch colon {
	case len("Host"):
		if equalFold(name, "host") {
			if s.host {
				return ErrHost
			}
			s.host = true
			if h.Host == nil {
				h.Host = trim(line[colon+1:])
			}
		}
	case len("Connection"):
		if equalFold(name, "connection") {
			s.connection(trim(line[colon+1:]))
		}
	case len("Content-Length"):
		if equalFold(name, "content-length") {
			if s.contentLength || !allZeros(trim(line[colon+1:])) {
				return ErrBody
			}
			s.contentLength = true
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "transfer-encoding") {
			return ErrBody
		}
	}
	if colon == len(h.AddrHeader) && equalFoldBytes(name, h.AddrHeader) {
		h.addrs[h.addrSeen%MaxAddrHeaders] = trim(line[colon+1:])
		h.addrSeen++
	}
	return nil
}

// connection takes a Connection line: a list of tokens in any letter case, of
// which close and keep-alive count.
func (s *fieldState) connection(list []byte) {
	for len(list) > 0 {
		i := 0
		for i < len(list) && list[i] != ',' {
			i++
		}
		switch option := trim(list[:i]); {
		case equalFold(option, "close"):
			s.close = true
		case equalFold(option, "keep-alive"):
			s.keepAlive = true
		}
		list = list[min(i+1, len(list)):]
	}
}

// isSingular reports whether a header line is one that a second one, or its mere
// presence, makes a fault.
func isSingular(line []byte) bool {
	name := line[:max(nameEnd(line), 0)]
	return equalFold(name, "host") || equalFold(name, "content-length") || equalFold(name, "transfer-encoding")
}

// nameEnd returns the length of a header line's name, 0 or less when the line
// has no name, or anything but a colon after it: a space there, or a fold at
// its start, is how requests are smuggled past proxies.
func nameEnd(line []byte) int {
	for i, c := range line {
		if !tokenByte[c] {
			if c == ':' {
				return i
			}
			return -1
		}
	}
	return -1
}

// fieldOK reports whether line, without its CR LF, is a header line.
func fieldOK(line []byte) bool {
	return nameEnd(line) > 0 && valueOK(line)
}

// partialFieldOK reports whether line, which has no LF yet, can still become a
// header line or the blank line.
func partialFieldOK(line []byte) bool {
	if len(line) == 0 {
		return true
	}
	last := len(line) - 1
	if line[last] == '\r' {
		if last == 0 {
			return true
		}
		return fieldOK(line[:last])
	}
	for i, c := range line {
		if !tokenByte[c] {
			return c == ':' && i > 0 && valueOK(line[i:])
		}
	}
	return true
}

// valueOK reports whether no byte of v is a CR or a NUL.
func valueOK(v []byte) bool {
	for _, c := range v {
		if c == '\r' || c == 0 {
			return false
		}
	}
	return true
}

// trim cuts spaces and tabs from both ends.
func trim(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

// allZeros reports whether v is a Content-Length of 0.
func allZeros(v []byte) bool {
	for _, c := range v {
		if c != '0' {
			return false
		}
	}
	return len(v) > 0
}

// equalFold compares v with lower, which is lower-case ASCII letters, digits
// and hyphens, without regard to v's letter case. Other bytes that the folding
// maps on a hyphen or a digit (0x0d, 0x10 to 0x19) are no token bytes.
func equalFold(v []byte, lower string) bool {
	if len(v) != len(lower) {
		return false
	}
	for i, c := range v {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// equalFoldBytes compares two names of any letter case, by ASCII letters only.
func equalFoldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if d := b[i]; c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// tokenByte marks the bytes of a token (RFC 9110, 5.6.2): methods and names.
var tokenByte = [256]bool{
	'!': true, '#': true, '$': true, '%': true, '&': true, '\'': true, '*': true, '+': true,
	'-': true, '.': true, '^': true, '_': true, '`': true, '|': true, '~': true,
	'0': true, '1': true, '2': true, '3': true, '4': true,
	'5': true, '6': true, '7': true, '8': true, '9': true,
	'A': true, 'B': true, 'C': true, 'D': true, 'E': true, 'F': true, 'G': true, 'H': true, 'I': true,
	'J': true, 'K': true, 'L': true, 'M': true, 'N': true, 'O': true, 'P': true, 'Q': true, 'R': true,
	'S': true, 'T': true, 'U': true, 'V': true, 'W': true, 'X': true, 'Y': true, 'Z': true,
	'a': true, 'b': true, 'c': true, 'd': true, 'e': true, 'f': true, 'g': true, 'h': true, 'i': true,
	'j': true, 'k': true, 'l': true, 'm': true, 'n': true, 'o': true, 'p': true, 'q': true, 'r': true,
	's': true, 't': true, 'u': true, 'v': true, 'w': true, 'x': true, 'y': true, 'z': true,
}
