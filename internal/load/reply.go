package load

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"spate/internal/http1"
)

// httpReply is a whole reply.
type httpReply struct {
	status    int
	keepAlive bool
	body      []byte // part of the bytes it was read from
}

// splitReply looks for one whole reply in what a connection has received. eof
// says that nothing more will come, which ends a body without a length. wrong
// says what is the matter with bytes that no reply can begin with, or that more
// came than the reply; then and only then it is not empty. A body in chunks
// (RFC 9112, section 7.1) is put together in b once it is whole.
func splitReply(b []byte, eof bool) (r httpReply, done bool, wrong string) {
	var h http1.ReplyHead
	for {
		n, err := http1.ParseReplyHead(b, &h)
		if err == http1.ErrIncomplete {
			return r, false, ""
		}
		if err != nil {
			return r, false, "not the head of an HTTP/1.x reply"
		}
		b = b[n:]
		if h.Status >= http.StatusOK {
			break // those before are interim, and the reply comes behind them
		}
	}
	r.status, r.keepAlive, r.body = h.Status, h.KeepAlive, b
	rest := 0 // bytes behind the reply
	switch {
	case h.Status == http.StatusNoContent || h.Status == http.StatusNotModified:
		r.body, rest = nil, len(b) // whatever its head says
	case h.Chunked:
		n, whole, ok := chunks(b)
		if !ok {
			return r, false, "Transfer-Encoding without a body in chunks"
		}
		if !whole {
			return r, false, ""
		}
		r.body, rest = joinChunks(b), len(b)-n
	case h.ContentLength < 0:
		// The end of the connection is the end of the body.
		r.keepAlive = false
		return r, eof, ""
	case len(b) < h.ContentLength:
		return r, false, ""
	default:
		rest = len(b) - h.ContentLength
	}
	if rest > 0 {
		wrong = fmt.Sprintf("%d bytes behind the reply's end", rest)
	}
	return r, true, wrong
}

// chunks returns how long the chunked body at the start of b is, trailer
// included, and whether it is there to its end. ok is false where it is none.
func chunks(b []byte) (n int, whole, ok bool) {
	for {
		size, head, whole, ok := chunkSize(b[n:])
		if !whole || !ok {
			return 0, false, ok
		}
		n += head
		if size == 0 {
			break
		}
		end := n + size
		if len(b) < end+2 {
			return 0, false, true
		}
		if b[end] != '\r' || b[end+1] != '\n' {
			return 0, false, false
		}
		n = end + 2
	}
	for { // the trailer, which ends with an empty line
		lf := bytes.IndexByte(b[n:], '\n')
		if lf < 0 {
			return 0, false, true
		}
		line := b[n : n+lf]
		n += lf + 1
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return 0, false, false
		}
		if len(line) == 1 {
			return n, true, true
		}
	}
}

// chunkSize reads the line that begins a chunk: its size in hexadecimal digits,
// and extensions, which mean nothing here. head is the line's length.
func chunkSize(b []byte) (size, head int, whole, ok bool) {
	lf := bytes.IndexByte(b, '\n')
	line := b
	if lf >= 0 {
		if line = b[:lf]; lf == 0 || b[lf-1] != '\r' {
			return 0, 0, false, false
		}
	}
	digits := 0
	for digits < len(line) && size <= maxReply {
		v := hexDigit(line[digits])
		if v < 0 {
			break
		}
		size = size<<4 | v
		digits++
	}
	if size > maxReply || len(line) > 0 && digits == 0 ||
		digits < len(line) && !strings.ContainsRune("\r; \t", rune(line[digits])) {
		return 0, 0, false, false
	}
	return size, lf + 1, lf >= 0, true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// joinChunks moves the data of the whole chunked body in b together at its
// start, and returns it.
func joinChunks(b []byte) []byte {
	body, p := b[:0], 0
	for {
		size, head, _, _ := chunkSize(b[p:])
		p += head
		if size == 0 {
			return body
		}
		body = append(body, b[p:p+size]...)
		p += size + 2
	}
}
