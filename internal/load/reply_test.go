package load

import (
	"strings"
	"testing"
)

func TestSplitReply(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name, in string
		eof      bool
		body     string
		wrong    string // a part of it
	}{
		{"length", head + "Content-Length: 3\r\n\r\nabc", false, "abc", ""},
		{"until the end", head + "\r\nabc", true, "abc", ""},
		{"chunks", head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", false, "abc0123456789", ""},
		{"trailer", head + "Transfer-Encoding: chunked\r\n\r\n03 \r\nabc\r\n000\r\nA: b\r\n\r\n", false, "abc", ""},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\n" + head + "Content-Length: 3\r\n\r\nabc", false, "abc", ""},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", false, "", ""},
		{"no TLS", "\x15\x03\x01", false, "", "not the head of an HTTP/1.x reply"},
		{"more", head + "Content-Length: 3\r\n\r\nabcd", false, "", "1 bytes behind the reply's end"},
		{"more behind chunks", head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nabcd", false, "", "4 bytes behind"},
		{"more than no content", "HTTP/1.1 204 No Content\r\n\r\nabcd", false, "", "4 bytes behind"},
		{"no size", head + "Transfer-Encoding: chunked\r\n\r\nd8:complete", false, "", "without a body in chunks"},
		{"a size beyond all bounds", head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", false, "", "without a body in chunks"},
		{"a chunk that goes on", head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcde", false, "", "without a body in chunks"},
		{"lines of LF", head + "Transfer-Encoding: chunked\r\n\r\n0\n\n", false, "", "without a body in chunks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The reply comes a byte at a time, and is whole with the last one.
			for n := range len(c.in) {
				_, done, wrong := splitReply([]byte(c.in[:n]), false)
				if wrong != "" {
					if c.wrong == "" || !strings.Contains(wrong, "behind") && !strings.Contains(wrong, c.wrong) {
						t.Fatalf("after %q: %s", c.in[:n], wrong)
					}
				} else if done && c.wrong == "" {
					t.Fatalf("done after %q", c.in[:n])
				}
			}
			r, done, wrong := splitReply([]byte(c.in), c.eof)
			switch {
			case c.wrong != "" && !strings.Contains(wrong, c.wrong):
				t.Errorf("is wrong: %q; want %q", wrong, c.wrong)
			case c.wrong == "" && (!done || wrong != "" || string(r.body) != c.body):
				t.Errorf("done %v, wrong %q, body %q; want %q", done, wrong, r.body, c.body)
			}
		})
	}
}
