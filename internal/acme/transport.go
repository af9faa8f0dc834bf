package acme

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxReply bounds the body of an authority's answer, maxReplyHead what is before
	// it. The largest is a chain of certificates, of a few KiB each.
	maxReply     = 1 << 20
	maxReplyHead = 64 << 10
	// maxReason is what is logged of an authority's words, which may be a page of HTML.
	maxReason = 512
)

// errReplyTooLarge: whoever sends this is no authority.
var errReplyTooLarge = errors.New("the authority's answer is larger than 1 MiB")

// A cautious transport keeps from the protocol's client what that would take from an
// authority unchecked: bodies of any size, and times to ask again that have passed.
type cautious struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (c cautious) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := c.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	reply.Body = &boundedBody{reply.Body, maxReply}
	// The client would ask again at once, over and over: clocks differ, and one that
	// is a little behind names a time that has passed here.
	if after := reply.Header.Get("Retry-After"); after != "" && !isAhead(after, time.Now()) {
		reply.Header.Del("Retry-After")
	}
	return reply, nil
}

// isAhead reports whether a Retry-After field (RFC 9110, section 10.2.3) is for later
// than now.
func isAhead(after string, now time.Time) bool {
	if seconds, err := strconv.Atoi(after); err == nil {
		return seconds > 0
	}
	at, err := http.ParseTime(after)
	return err == nil && at.After(now)
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errReplyTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// reason returns an error's text for the log.
func reason(err error) string {
	text := err.Error()
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "..."
	}
	return text
}
