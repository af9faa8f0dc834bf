package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"spate/internal/server"
)

// heldServer runs a server whose connections may hold 64 KiB.
func heldServer(t *testing.T, secure bool) (*server.Server, *tls.Config) {
	t.Helper()
	cert := makeCert(t, ecKey(t), year, "localhost")
	s := start(t, server.Config{
		Listeners:    []server.Listener{{Network: server.NetworkTCP4, Address: "127.0.0.1:0", TLS: secure}},
		KeepAlive:    true,
		Certificates: []server.CertificateFiles{cert.write(t, t.TempDir(), "a")},
		MaxHeld:      64 << 10,
	}, io.Discard)
	return s, &tls.Config{RootCAs: pool(cert), ServerName: "localhost"}
}

// TestMaxHeld: connections that ask and do not read are closed, however they
// are carried, and others are served meanwhile.
func TestMaxHeld(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			s, client := heldServer(t, secure)
			dial := func() net.Conn {
				c, err := net.Dial("tcp", s.Addrs()[0].String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
				if !secure {
					return c
				}
				return tls.Client(c, client)
			}
			// What the system's buffers leave to the server is a part of a reply for each
			// connection, and may be a few bytes.
			for range 16 {
				c := dial()
				go func() {
					// Records that take little room themselves: TestMaxHeldOfRecords
					// has the others.
					for many := []byte(strings.Repeat("GET /big?20000 HTTP/1.1\r\nHost: a\r\n\r\n", 100)); ; {
						if _, err := c.Write(many); err != nil {
							return
						}
					}
				}()
			}
			awaitLimit(t, s)
			c := dial()
			if _, err := io.WriteString(c, "GET /announce HTTP/1.0\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200") {
				t.Errorf("an honest client read %q (%v)", got, err)
			}
		})
	}
}

// awaitLimit waits until a connection has been closed for want of room.
func awaitLimit(t *testing.T, s *server.Server) {
	t.Helper()
	server.Await(t, "the end of a connection at the limit", func() bool {
		for _, c := range s.Stats().Ended {
			if c.Label == "limit" {
				return c.Value > 0
			}
		}
		return false
	})
}

// A stingyConn keeps the last byte of what is written to itself, once told.
type stingyConn struct {
	net.Conn
	stingy bool
}

func (c *stingyConn) Write(b []byte) (int, error) {
	if c.stingy {
		b = b[:len(b)-1]
	}
	return c.Conn.Write(b)
}

// TestMaxHeldOfRecords: a TLS record that never ends is held as a whole by
// crypto/tls.
func TestMaxHeldOfRecords(t *testing.T) {
	s, client := heldServer(t, true)
	for range 8 {
		raw, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = raw.Close() })
		stingy := &stingyConn{Conn: raw}
		config := client.Clone()
		config.DynamicRecordSizingDisabled = true
		c := tls.Client(stingy, config)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		stingy.stingy = true
		_, _ = c.Write(make([]byte, 16<<10)) // it may be closed already
	}
	awaitLimit(t, s)
}

// TestLongHandshake: a hello that says it is long ends the connection, well
// before the time that it has.
func TestLongHandshake(t *testing.T) {
	cert := makeCert(t, ecKey(t), year, "localhost")
	s := start(t, server.Config{
		Listeners:    []server.Listener{{Network: server.NetworkTCP4, Address: "127.0.0.1:0", TLS: true}},
		Certificates: []server.CertificateFiles{cert.write(t, t.TempDir(), "a")},
		HeadTimeout:  time.Hour,
	}, io.Discard)
	c, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// Two of the four records of a handshake message of 0xfff0 bytes: RFC 8446,
	// sections 4 and 5.1.
	record := append([]byte{22, 3, 1, 0x40, 0}, make([]byte, 1<<14)...)
	first := append([]byte(nil), record...)
	copy(first[5:], []byte{1, 0, 0xff, 0xf0})
	for _, r := range [][]byte{first, record} {
		if _, err := c.Write(r); err != nil {
			break // it has noticed already
		}
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var late net.Error
	if _, err := io.ReadAll(c); errors.As(err, &late) && late.Timeout() {
		t.Error("the connection goes on")
	}
}

// TestMaxHandshakes: who begins handshakes and lets them wait, be it in the middle of
// a record that is said to be large, is closed for those who come later.
func TestMaxHandshakes(t *testing.T) {
	for name, begin := range map[string]string{
		"one byte":     "\x16",
		"short record": "\x16\x03\x01\x00\x40",
		"large record": "\x16\x03\x01\x40\x00",
	} {
		t.Run(name, func(t *testing.T) {
			s, client := heldServer(t, true)
			dial := func() net.Conn {
				c, err := net.Dial("tcp", s.Addrs()[0].String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				return c
			}
			first := dial()
			conns := []net.Conn{first}
			for range 3 * 64 { // of which no more may be under way
				conns = append(conns, dial())
			}
			for _, c := range conns {
				if _, err := io.WriteString(c, begin); err != nil {
					t.Fatal(err)
				}
			}
			// All have come, and as many are gone as may not be under way: none begins
			// after the honest one.
			server.Await(t, "the end of the connections that are too many", func() bool {
				st := s.Stats()
				return st.Accepted4 == uint64(len(conns)) && st.Open <= 64
			})
			if name != "large record" { // of which those are closed that are too many
				if err := first.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				var late net.Error
				if _, err := io.ReadAll(first); errors.As(err, &late) && late.Timeout() {
					t.Error("the first connection goes on")
				}
			}
			ask := func() (string, error) {
				c := tls.Client(dial(), client)
				if _, err := io.WriteString(c, "GET /announce HTTP/1.0\r\n\r\n"); err != nil {
					return "", err
				}
				got, err := io.ReadAll(c)
				return string(got), err
			}
			got, err := ask()
			if name == "large record" && !strings.HasPrefix(got, "HTTP/1.1 200") {
				// What the one that gave way held is free a moment later.
				server.Await(t, "an answer for an honest client", func() bool {
					got, err = ask()
					return strings.HasPrefix(got, "HTTP/1.1 200")
				})
			}
			if err != nil || !strings.HasPrefix(got, "HTTP/1.1 200") {
				t.Errorf("an honest client read %q (%v)", got, err)
			}
		})
	}
}
