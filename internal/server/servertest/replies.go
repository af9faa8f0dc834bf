package servertest

import (
	"io"
	"strings"
	"testing"
)

// What the 127.0.0.1 of these tests is answered.
const echo = "127.0.0.1 /announce?"

// replies holds what is answered to what, byte for byte: each exchange in one
// write, and again a byte at a time.
func (c Carrier) replies(t *testing.T) {
	s := c.start(t, c.config())
	for _, test := range exchanges() {
		t.Run(test.name, func(t *testing.T) {
			s := &Server{Server: s.Server, t: t, c: c}
			t.Run("whole", func(t *testing.T) {
				s.t = t
				conn := s.dial()
				s.send(conn, test.send)
				s.finish(conn, test.want, test.ends)
			})
			t.Run("bytewise", func(t *testing.T) {
				s.t = t
				conn := s.dial()
				for i := range len(test.send) {
					// The connection may end before all is sent.
					if _, err := conn.Write([]byte(test.send[i : i+1])); err != nil {
						break
					}
				}
				s.finish(conn, test.want, test.ends)
			})
		})
	}
}

// finish reads a reply, and the end of the connection or another exchange.
func (s *Server) finish(conn io.ReadWriter, want string, ends bool) {
	s.t.Helper()
	if ends {
		s.expectEnd(conn, want)
		return
	}
	s.expect(conn, want)
	s.send(conn, get("/announce?last=1", "Connection: close\r\n"))
	s.expectEnd(conn, closing(echo+"last=1"))
}

// An exchangeCase is what a client sends, what it is answered, and whether the
// connection ends then.
type exchangeCase struct {
	name, send, want string
	ends             bool
}

func exchanges() []exchangeCase {
	long := strings.Repeat("a", 8192)
	// The longest head that is served: 8192 bytes with its blank line.
	fits := get("/announce?", "X: "+long[:8192-len(get("/announce?", "X: \r\n"))]+"\r\n")
	over := get("/announce?", "X: "+long[:8193-len(get("/announce?", "X: \r\n"))]+"\r\n")
	longTarget := "/announce?" + long[:8192-len(get("/announce?"))]
	one := get("/announce?a=1")
	return []exchangeCase{
		{"announce", one, reply(echo + "a=1"), false},
		{"no query", get("/announce"), reply(echo), false},
		{"absolute form", get("http://tracker:1/announce?a=1"), reply(echo + "a=1"), false},
		{"raw bytes in the query", get("/announce?h=\xff=\x01"), reply(echo + "h=\xff=\x01"), false},
		{"index page", get("/"), reply("the index\n"), false},
		{"unknown path", get("/nothing"), replyHead("404 Not Found", "", 14) + "404 Not Found\n", false},
		{"HEAD", "HEAD /announce?a=1 HTTP/1.1\r\n\r\n", replyHead("200 OK", "", len(echo)+3), false},
		{"HEAD of an unknown path", "HEAD /x HTTP/1.1\r\n\r\n", replyHead("404 Not Found", "", 14), false},
		{"pipelined", one + get("/") + one, reply(echo+"a=1") + reply("the index\n") + reply(echo+"a=1"), false},
		{"close in any letter case", get("/announce", "CONNECTION: Close\r\n"), closing(echo), true},
		{"keep-alive asked for in HTTP/1.1", get("/announce", "Connection: keep-alive\r\n"), reply(echo), false},
		{"HTTP/1.0", "GET /announce HTTP/1.0\r\n\r\n", closing(echo), true},
		{
			"HTTP/1.0 keep-alive", "GET /announce HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
			replyHead("200 OK", "Connection: keep-alive\r\n", len(echo)) + echo, false,
		},
		{"nothing after the last request counts", get("/announce", "Connection: close\r\n") + one + "\x00", closing(echo), true},
		{"a NUL after the last head", "GET /announce HTTP/1.0\r\n\r\n\x00", closing(echo), true},
		{"head at the limit", fits, reply(echo), false},
		{"head over the limit", over, refusal("431 Request Header Fields Too Large", ""), true},
		{"target at the limit", get(longTarget), reply("127.0.0.1 " + longTarget), false},
		{"target over the limit", "GET /" + long, refusal("414 URI Too Long", ""), true},
		{"POST", "POST /announce HTTP/1.1\r\n", refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n"), true},
		{"body", get("/announce", "Content-Length: 1\r\n"), refusal("400 Bad Request", ""), true},
		{"garbage", "\x00\x01\x02", refusal("400 Bad Request", ""), true},
		{"TLS hello", "\x16\x03\x01\x02\x00\x01", refusal("400 Bad Request", ""), true},
		{"BitTorrent handshake", "\x13BitTorrent protocol", refusal("400 Bad Request", ""), true},
		{"bare LF", "GET /announce HTTP/1.1\n\n", refusal("400 Bad Request", ""), true},
		{"two Host lines", get("/announce", "Host: u\r\n"), refusal("400 Bad Request", ""), true},
		{"refusal behind an answer", one + "\x00", reply(echo+"a=1") + refusal("400 Bad Request", ""), true},
	}
}
