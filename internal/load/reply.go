package load

import "spate/internal/http1"

// httpReply is a whole reply.
type httpReply struct {
	status    int
	keepAlive bool
	body      []byte // part of the bytes it was read from
}

// splitReply looks for one whole reply in what a connection has received. eof
// says that nothing more will come, which ends a body without a length. bad
// means that it is not HTTP, or that more came than the reply.
func splitReply(b []byte, eof bool) (r httpReply, done, bad bool) {
	var h http1.ReplyHead
	n, err := http1.ParseReplyHead(b, &h)
	if err == http1.ErrIncomplete {
		return r, false, false
	}
	if err != nil {
		return r, false, true
	}
	r.status, r.keepAlive = h.Status, h.KeepAlive
	r.body = b[n:]
	switch {
	case h.Chunked:
		return r, false, true // half of the clients cannot read it
	case h.ContentLength < 0:
		// The end of the connection is the end of the body.
		r.keepAlive = false
		return r, eof, false
	case len(r.body) < h.ContentLength:
		return r, false, false
	default:
		return r, true, len(r.body) > h.ContentLength
	}
}
