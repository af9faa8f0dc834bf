//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"spate/internal/bench"
	"spate/internal/http1"
)

// replyRoom is more than any reply here takes.
const replyRoom = 8 << 10

// announce sends one announce as client i and reads the reply into buf.
func announce(c net.Conn, buf []byte, i int) error {
	_, err := fmt.Fprintf(c, "GET /announce?info_hash=%%%02x%%%02xaaaaaaaaaaaaaaaaaa&peer_id=-TR3000-%012d&port=%d&uploaded=0&downloaded=0&left=1&compact=1&numwant=50 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Transmission/4.0.5\r\nAccept: */*\r\n\r\n",
		i%256, i/256%256, i, 1024+i%60000)
	if err != nil {
		return err
	}
	var head http1.ReplyHead
	for got := 0; ; {
		n, err := c.Read(buf[got:])
		if got += n; err != nil {
			return err
		}
		switch size, err := http1.ParseReplyHead(buf[:got], &head); {
		case err == http1.ErrIncomplete:
		case err != nil:
			return err
		case head.Status != 200 || !head.KeepAlive:
			return fmt.Errorf("the reply is %q", buf[:got])
		case got >= size+head.ContentLength:
			return nil
		}
	}
}

// dialers is how many connections are opened at a time.
const dialers = 8

// each fills conns, a few at a time.
func each(conns []net.Conn, dial func(i int) (net.Conn, error)) error {
	var all sync.WaitGroup
	failed := make(chan error, dialers)
	for first := range dialers {
		all.Go(func() {
			for i := first; i < len(conns); i += dialers {
				var err error
				if conns[i], err = dial(i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed
}

// keptCost returns the CPU time of the server for each request, in µs.
func keptCost(how string, n int, length time.Duration, dial func(address string) (net.Conn, error)) (float64, error) {
	cmd := exec.Command(os.Args[0], "-serve", how)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the server does not say where it listens: %w", err)
	}
	conns := make([]net.Conn, n)
	if err := each(conns, func(int) (net.Conn, error) { return dial(strings.TrimSpace(line)) }); err != nil {
		return 0, err
	}
	var requests atomic.Int64
	var over atomic.Bool
	var all sync.WaitGroup
	failed := make(chan error, n)
	for i, c := range conns {
		all.Go(func() {
			defer c.Close()
			buf := make([]byte, replyRoom)
			for !over.Load() {
				if err := announce(c, buf, i); err != nil {
					failed <- err
					return
				}
				requests.Add(1)
			}
		})
	}
	time.Sleep(length / 4) // until all go round
	n0 := requests.Load()
	before, err := bench.CPUTime(cmd.Process.Pid)
	time.Sleep(length)
	n1 := requests.Load()
	after, ended := bench.CPUTime(cmd.Process.Pid)
	over.Store(true)
	all.Wait()
	close(failed)
	if err := errors.Join(<-failed, err, ended); err != nil {
		return 0, err
	}
	return float64(after-before) / float64(time.Microsecond) / float64(n1-n0), nil
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// freeAddress returns an address on loopback that nobody has just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// awaitListener waits until somebody listens at address.
func awaitListener(address string) error {
	const patience = 10 * time.Second
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp4", address)
		if err == nil {
			return c.Close()
		}
		if time.Since(start) > patience {
			return fmt.Errorf("the tracker does not listen: %w", err)
		}
	}
}
