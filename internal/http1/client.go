package http1

import (
	"bytes"
	"errors"
)

// The client side, for the load tester.

// ErrReply says that what came is no HTTP/1.x reply head.
var ErrReply = errors.New("http1: malformed reply head")

// ReplyHead is the head of a reply.
type ReplyHead struct {
	// Status is the three digits, 100 to 999.
	Status int
	// ContentLength is the length of the body in bytes, or -1 when the reply
	// does not say: it then ends where the connection does, or is Chunked.
	ContentLength int
	// Chunked says that the body has a transfer coding; ContentLength is -1.
	Chunked bool
	// Proto10 says that the server is an HTTP/1.0 one.
	Proto10 bool
	// KeepAlive says that the server keeps the connection.
	KeepAlive bool
}

// maxContentLength bounds the length that a reply may announce: below 2 GiB, so
// that one more digit never overflows an int of 32 bits.
const maxContentLength = 1<<31 - 9

// ParseReplyHead parses the reply head at the start of buf; buf[n:] is the body.
// The error is ErrIncomplete, or ErrReply for anything but "HTTP/1.x SP status
// [SP reason]" and well-formed header lines, each ended by CR LF, for a second
// or malformed Content-Length, for one besides a Transfer-Encoding, and for a
// head beyond MaxHead bytes. n and *r are then zero. Nothing is allocated.
func ParseReplyHead(buf []byte, r *ReplyHead) (n int, err error) {
	*r = ReplyHead{}
	if len(buf) > MaxHead {
		buf = buf[:MaxHead]
	}
	line, p, complete := cutLine(buf, 0)
	if !complete {
		return 0, replyIncomplete(buf)
	}
	head := ReplyHead{ContentLength: -1}
	if !head.statusLine(line) {
		return 0, ErrReply
	}
	var s fieldState
	for {
		line, p, complete = cutLine(buf, p)
		switch {
		case !complete:
			return 0, replyIncomplete(buf)
		case line == nil:
			return 0, ErrReply
		case len(line) == 0:
			if head.Chunked && head.ContentLength >= 0 {
				return 0, ErrReply
			}
			head.KeepAlive = !s.close && (!head.Proto10 || s.keepAlive)
			*r = head
			return p, nil
		case !head.field(&s, line):
			return 0, ErrReply
		}
	}
}

// replyIncomplete is the verdict on a reply head that has not ended.
func replyIncomplete(buf []byte) error {
	const version = "HTTP/1."
	if n := min(len(buf), len(version)); len(buf) == MaxHead || string(buf[:n]) != version[:n] {
		return ErrReply
	}
	return ErrIncomplete
}

// cutLine returns the line of buf at p without its CR LF, and where the next one
// starts; nil for a line that ends in a bare LF.
func cutLine(buf []byte, p int) (line []byte, next int, complete bool) {
	lf := bytes.IndexByte(buf[p:], '\n')
	if lf < 0 {
		return nil, 0, false
	}
	if lf == 0 || buf[p+lf-1] != '\r' {
		return nil, 0, true
	}
	return buf[p : p+lf-1], p + lf + 1, true
}

// statusLine parses "HTTP/1.1 200 OK"; the reason, and the space before it, may
// be missing.
func (r *ReplyHead) statusLine(line []byte) bool {
	const digits = len("HTTP/1.1 ")
	if len(line) < digits+3 || string(line[:7]) != "HTTP/1." || line[8] != ' ' || !valueOK(line) {
		return false
	}
	for _, c := range line[digits : digits+3] {
		if c < '0' || c > '9' {
			return false
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	r.Proto10 = line[7] == '0'
	return line[7] >= '0' && line[7] <= '9' && r.Status >= 100 && (len(line) == digits+3 || line[digits+3] == ' ')
}

// field takes one header line.
func (r *ReplyHead) field(s *fieldState, line []byte) bool {
	colon := nameEnd(line)
	if colon <= 0 || !valueOK(line[colon:]) {
		return false
	}
	name, value := line[:colon], trim(line[colon+1:])
	switch {
	case equalFold(name, "content-length"):
		if s.contentLength || len(value) == 0 {
			return false
		}
		s.contentLength = true
		r.ContentLength = 0
		for _, c := range value {
			if c < '0' || c > '9' || r.ContentLength > (maxContentLength-9)/10 {
				return false
			}
			r.ContentLength = r.ContentLength*10 + int(c-'0')
		}
	case equalFold(name, "transfer-encoding"):
		r.Chunked = true
	case equalFold(name, "connection"):
		s.connection(value)
	}
	return true
}
