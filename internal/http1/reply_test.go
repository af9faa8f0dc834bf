package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

func TestAppendReplyHead(t *testing.T) {
	for _, c := range []struct {
		status, length int
		conn           Connection
		want           string
	}{
		{200, 321, ConnectionDefault, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 321\r\n\r\n"},
		{200, 0, ConnectionClose, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
		{200, 7, ConnectionKeepAlive, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: keep-alive\r\nContent-Length: 7\r\n\r\n"},
		{405, 19, ConnectionClose, "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nAllow: GET, HEAD\r\nConnection: close\r\nContent-Length: 19\r\n\r\n"},
	} {
		if got := AppendReplyHead([]byte("x"), c.status, c.length, c.conn); string(got) != "x"+c.want {
			t.Errorf("%d: %q", c.status, got)
		}
	}
}

// replyRoom is more than any reply head takes, in bytes.
const replyRoom = 256

// TestAppendReplyHeadReadByNetHTTP lets another implementation read every head
// that can be made.
func TestAppendReplyHeadReadByNetHTTP(t *testing.T) {
	body := bytes.Repeat([]byte("a"), 12345)
	for _, status := range []int{200, 400, 404, 405, 408, 414, 429, 431, 500, 503} {
		for conn := ConnectionDefault; conn <= ConnectionKeepAlive; conn++ {
			head := AppendReplyHead(nil, status, len(body), conn)
			resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(append(head, body...))), nil)
			if err != nil {
				t.Fatalf("%q: %v", head, err)
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || len(got) != len(body) || resp.StatusCode != status || resp.Close != (conn == ConnectionClose) ||
				(resp.Header.Get("Allow") != "") != (status == 405) {
				t.Errorf("%q: %v, %d bytes, %+v", head, err, len(got), resp)
			}
		}
	}
	if got := AppendReplyHead(nil, 299, -1, ConnectionDefault); !bytes.Equal(got, AppendReplyHead(nil, 500, 0, ConnectionDefault)) {
		t.Errorf("unknown status: %q", got)
	}
}

func TestAppendReplyHeadAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, replyRoom)
	if n := testing.AllocsPerRun(100, func() {
		dst = AppendReplyHead(dst[:0], 200, 1234, ConnectionClose)
		dst = AppendReplyHead(dst[:0], 431, 1234, ConnectionClose)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendReplyHead(b *testing.B) {
	dst := make([]byte, 0, replyRoom)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendReplyHead(dst[:0], 200, 389, ConnectionClose)
	}
}
