package load

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// A reply's last bytes and the connection's end may come in one packet, and then
// make one event. HTTP/1.0 servers that give no length end each reply so.
func TestAnEndThatComesWithBytesIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		reply string
		fault Fault // the only one; faultCount is none
	}{
		"end of a body without a length": {"HTTP/1.0 200 OK\r\n\r\n" + goodBody, faultCount},
		"end before the body's end":      {goodReply[:len(goodReply)-9], FaultClosed},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newRawTracker(t, func(conn net.Conn, _ int, _ string) {
				raw, err := conn.(*net.TCPConn).SyscallConn()
				if err == nil {
					// What is held back goes out with the end.
					err = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1) })
				}
				if err != nil {
					t.Error(err)
				}
				conn.Write([]byte(c.reply))
				conn.Close()
			})
			cfg := tr.config()
			cfg.Check.Timeout = 2
			cfg.Duration = 0
			r := runAgainst(t, cfg, func(total *Tally) bool { return total.Answered()+total.Faults.Total() >= 200 })
			for f, n := range r.Tally.Faults {
				if (n > 0) != (Fault(f) == c.fault) {
					t.Errorf("%v was reported %d times", Fault(f), n)
				}
			}
		})
	}
}
