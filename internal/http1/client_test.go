package http1

import (
	"strings"
	"testing"
)

func TestParseReplyHead(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     ReplyHead
	}{
		{"ours", string(AppendReplyHead(nil, 200, 321, ConnectionDefault)), ReplyHead{Status: 200, ContentLength: 321, KeepAlive: true}},
		{"ours, close", string(AppendReplyHead(nil, 200, 0, ConnectionClose)), ReplyHead{Status: 200}},
		{"ours, refused", string(AppendReplyHead(nil, 405, 9, ConnectionClose)), ReplyHead{Status: 405, ContentLength: 9}},
		{"opentracker", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 96\r\n\r\n", ReplyHead{Status: 200, ContentLength: 96, KeepAlive: true}},
		{"net/http", "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: Close\r\nTransfer-Encoding: chunked\r\n\r\n", ReplyHead{Status: 200, ContentLength: -1, Chunked: true}},
		{"1.0", "HTTP/1.0 404 Not Found\r\n\r\n", ReplyHead{Status: 404, ContentLength: -1, Proto10: true}},
		{"1.0, kept", "HTTP/1.0 200 \r\nconnection:keep-alive\r\ncontent-length:\t7 \r\n\r\n", ReplyHead{Status: 200, ContentLength: 7, Proto10: true, KeepAlive: true}},
		{"no reason", "HTTP/1.1 204\r\n\r\n", ReplyHead{Status: 204, ContentLength: -1, KeepAlive: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := []byte(c.in + "body")
			var r ReplyHead
			if n, err := ParseReplyHead(in, &r); err != nil || n != len(c.in) || r != c.want {
				t.Errorf("%q: %d, %v, %+v; want %+v", c.in, n, err, r, c.want)
			}
			for i := range c.in {
				if n, err := ParseReplyHead(in[:i], &r); err != ErrIncomplete || n != 0 || r != (ReplyHead{}) {
					t.Fatalf("%d bytes of %q: %d, %v, %+v", i, c.in, n, err, r)
				}
			}
		})
	}
}

func TestParseReplyHeadRefuses(t *testing.T) {
	for _, in := range []string{
		"\x15\x03", "HTTP/2", "HTTP/1.1 200 OK\n", "HTTP/1.x 200 OK\r\n", "HTTP/1.1  200 OK\r\n", "HTTP/1.1 20 OK\r\n",
		"HTTP/1.1 099 OK\r\n", "HTTP/1.1 2000\r\n", "HTTP/1.1 200OK\r\n", "HTTP/1.1 200 O\rK\r\n", "d8:completei0e",
		"HTTP/1.1 200 OK\r\nA: b\n", "HTTP/1.1 200 OK\r\nA b\r\n", "HTTP/1.1 200 OK\r\n A: b\r\n", "HTTP/1.1 200 OK\r\nA: \x00\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", MaxHead),
	} {
		var r ReplyHead
		if n, err := ParseReplyHead([]byte(in), &r); err != ErrReply || n != 0 || r != (ReplyHead{}) {
			t.Errorf("%.60q: %d, %v, %+v", in, n, err, r)
		}
	}
}

func TestClientAllocatesNothing(t *testing.T) {
	reply := AppendReplyHead(nil, 200, 321, ConnectionClose)
	var r ReplyHead
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseReplyHead(reply, &r); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParseReplyHead(b *testing.B) {
	reply := AppendReplyHead(nil, 200, 321, ConnectionClose)
	var r ReplyHead
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseReplyHead(reply, &r); err != nil {
			b.Fatal(err)
		}
	}
}
