package opstest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// twoPorts returns the ports of a tracker with two listeners.
func twoPorts(t *testing.T, tr *tracker) (first, second uint16) {
	t.Helper()
	var ports [2]uint16
	found := submatches(read(t, tr.log), `address=127\.0\.0\.1:(\d+)`)
	if len(found) != len(ports) {
		t.Fatalf("the ports are %v, want two", found)
	}
	for i, text := range found {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = uint16(port)
	}
	return ports[0], ports[1]
}

func insecureTLS(c net.Conn) net.Conn {
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	giveUp := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-giveUp:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// counterOf returns the value of a metric that counts things. Its labels belong to
// its name.
func counterOf(t *testing.T, metrics, name string) int {
	t.Helper()
	return int(valueOf(t, metrics, name))
}

// valueOf returns the value of a metric.
func valueOf(t *testing.T, metrics, name string) float64 {
	t.Helper()
	for text := range strings.Lines(metrics) {
		if value, found := strings.CutPrefix(text, name+" "); found {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s in\n%s", name, metrics)
	return 0
}

// announcePath is the request of a leecher with this port.
func announcePath(port int) string {
	return fmt.Sprintf("/announce?info_hash=AAAAAAAAAAAAAAAAAAAA&peer_id=-XX0001-abcdefghijkl&port=%d&left=1&compact=1", port)
}

// A line is a kept connection.
type line struct {
	net.Conn
	in *bufio.Reader
}

// ask sends a request and returns the body of its reply, which has to have
// status 200.
func (l *line) ask(path string, headers ...string) (string, error) {
	if l.in == nil {
		l.in = bufio.NewReader(l.Conn)
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n"
	for _, h := range headers {
		request += h + "\r\n"
	}
	if _, err := io.WriteString(l.Conn, request+"\r\n"); err != nil {
		return "", err
	}
	reply, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", reply.Status)
	}
	return string(body), err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// dialPort connects to a port of the loopback until the test ends.
func dialPort(t *testing.T, port string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}
