//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	announceRequest = "GET /announce?info_hash=aaaaaaaaaaaaaaaaaa%%%02xa&port=%d&left=%d&compact=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	idleRequest     = "GET /announce?info_hash=bbbbbbbbbbbbbbbbbbbb&port=6881&left=1&event=stopped HTTP/1.1\r\nHost: a\r\n\r\n"
	// slowRequest is what slow clients never get to the end of.
	slowRequest = "ET /announce?info_hash=cccccccccccccccccccc&port=6881&left=1 HTTP/1.1\r\nHost: a\r\n\r\n"
)

// portsPerAddress is how many connections come from one address.
const portsPerAddress = 4000

// A crowd is many connections without a goroutine for each.
type crowd struct {
	fds []int
}

// openCrowd connects n times and sends first on each connection, and waits for
// the reply where there is to be one.
func openCrowd(to netip.AddrPort, n int, first string, reply bool) (*crowd, error) {
	c := &crowd{}
	sa := &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	buf := make([]byte, 4096)
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			c.close()
			return nil, fmt.Errorf("socket %d: %w", len(c.fds), err)
		}
		c.fds = append(c.fds, fd)
		// From other addresses than the normal clients: connect is slow when
		// most ports of an address are taken.
		from := &unix.SockaddrInet4{Addr: [4]byte{127, 1, byte(len(c.fds) / portsPerAddress), 1}}
		if to.Addr().IsLoopback() {
			err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
			if err == nil {
				err = unix.Bind(fd, from)
			}
		}
		if err == nil {
			err = unix.Connect(fd, sa)
		}
		if err == nil {
			_, err = unix.Write(fd, []byte(first))
		}
		if err == nil && reply {
			_, err = unix.Read(fd, buf)
		}
		if err == nil {
			err = unix.SetNonblock(fd, true)
		}
		if err != nil {
			c.close()
			return nil, fmt.Errorf("connection %d: %w", len(c.fds), err)
		}
	}
	return c, nil
}

func (c *crowd) close() {
	for _, fd := range c.fds {
		_ = unix.Close(fd)
	}
}

// dribble sends on each connection one more byte every so often, until stop.
func (c *crowd) dribble(every time.Duration) (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		const slices = 50 // so that the bytes do not come all at once
		tick := time.NewTicker(every / slices)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			at := i / slices % len(slowRequest)
			for j := i % slices; j < len(c.fds); j += slices {
				_, _ = unix.Write(c.fds[j], []byte(slowRequest[at:at+1]))
			}
		}
	})
	return func() { close(done); ended.Wait() }
}

// gone returns how many connections the server has ended.
func (c *crowd) gone() (n int) {
	var b [1]byte
	for _, fd := range c.fds {
		if k, err := unix.Read(fd, b[:]); k == 0 && err == nil || err == unix.ECONNRESET || err == unix.EPIPE {
			n++
		}
	}
	return n
}

// memory returns a process's resident anonymous memory in MiB.
func memory(pid int) float64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("RssAnon:"))
	var kib float64
	_, _ = fmt.Sscan(string(rest), &kib)
	return kib / 1024
}
