package http1

import (
	"bytes"
	"encoding/binary"
)

// The request line, RFC 9112, 3. Spaces are single, and no byte of the target
// is SP, CR or LF; every other byte may come raw, since clients send binary
// values of a query unescaped.
//
//	GET SP target SP HTTP/1.1 CR LF
//	           target = /path[?query]  or  http://host[/path][?query]
const (
	version11  = "HTTP/1.1"
	versionLen = len(version11)

	// version11Word is version11, and getWord "GET ", as a little-endian word.
	version11Word = 0x312e312f50545448
	getWord       = 0x20544547
)

// requestLine parses a whole request line without its CR LF.
func (h *Head) requestLine(line []byte) *StatusError {
	sp := 3
	if len(line) < 4 || binary.LittleEndian.Uint32(line) != getWord {
		if sp = methodEnd(line); sp <= 0 {
			return ErrRequestLine
		}
	}
	rest := line[sp+1:]
	end := len(rest) - versionLen - 1
	if end < 1 || rest[end] != ' ' {
		return ErrRequestLine
	}
	h.Proto10 = false
	if version := rest[end+1:]; binary.LittleEndian.Uint64(version) != version11Word {
		minor := version[versionLen-1]
		if string(version[:versionLen-1]) != version11[:versionLen-1] || minor < '0' || minor > '9' {
			return ErrRequestLine
		}
		h.Proto10 = minor == '0'
	}
	target := rest[:end]
	if bytes.IndexByte(target, ' ') >= 0 || bytes.IndexByte(target, '\r') >= 0 {
		return ErrRequestLine
	}
	method := line[:sp]
	h.HEAD = string(method) == "HEAD"
	if !h.HEAD && string(method) != "GET" {
		return ErrMethod
	}
	h.Host = nil
	if target[0] == '/' {
		h.splitPath(target)
		return nil
	}
	return h.absoluteForm(target)
}

// splitPath sets Path and Query from a path with an optional query.
func (h *Head) splitPath(target []byte) {
	if q := bytes.IndexByte(target, '?'); q >= 0 {
		h.Path, h.Query = target[:q], target[q+1:]
		return
	}
	h.Path, h.Query = target, nil
}

// absoluteForm parses http://host[:port][/path][?query], or https (RFC 9112,
// 3.2.2). The host of the target replaces that of the Host line.
func (h *Head) absoluteForm(target []byte) *StatusError {
	colon := bytes.IndexByte(target, ':')
	if colon < 0 || len(target) < colon+4 || target[colon+1] != '/' || target[colon+2] != '/' {
		return ErrRequestLine
	}
	if scheme := target[:colon]; !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		return ErrRequestLine
	}
	authority := target[colon+3:]
	end := bytes.IndexAny(authority, "/?")
	if end == 0 {
		return ErrRequestLine
	}
	root := target[colon+1 : colon+2] // the path of a target without one is "/"
	switch {
	case end < 0:
		h.Host, h.Path, h.Query = authority, root, nil
	case authority[end] == '?':
		h.Host, h.Path, h.Query = authority[:end], root, authority[end+1:]
	default:
		h.Host = authority[:end]
		h.splitPath(authority[end:])
	}
	return nil
}

// methodEnd returns the index of the space that ends the method of a request
// line, 0 or less when there is no such method.
func methodEnd(line []byte) int {
	for i, c := range line[:min(len(line), maxMethod+1)] {
		if !tokenByte[c] {
			if c == ' ' {
				return i
			}
			return -1
		}
	}
	return -1
}

// partialRequestLineOK reports whether line, which has no LF yet, can still become
// a request line. Only a certain fault says no, and one that the whole line
// would be refused for as well.
func partialRequestLineOK(line []byte) bool {
	sp := methodEnd(line)
	if sp < 0 && len(line) <= maxMethod {
		for _, c := range line {
			if !tokenByte[c] {
				return false
			}
		}
		return true
	}
	if sp <= 0 {
		return false
	}
	rest := line[sp+1:]
	if cr := bytes.IndexByte(rest, '\r'); cr >= 0 && cr < len(rest)-1 {
		return false
	}
	end := bytes.IndexByte(rest, ' ')
	if end < 0 {
		return len(rest) == 0 || rest[len(rest)-1] != '\r'
	}
	return end > 0 && partialVersionOK(rest[end+1:])
}

// partialVersionOK reports whether v is the start of "HTTP/1.x CR".
func partialVersionOK(v []byte) bool {
	const prefix = "HTTP/1."
	if len(v) < len(prefix) {
		return string(v) == prefix[:len(v)]
	}
	if string(v[:len(prefix)]) != prefix {
		return false
	}
	v = v[len(prefix):]
	if len(v) > 0 && (v[0] < '0' || v[0] > '9') {
		return false
	}
	return len(v) < 2 || len(v) == 2 && v[1] == '\r'
}
