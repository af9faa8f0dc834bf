//go:build linux

// Command floor is what the tracker is measured against: the least that a Go
// program can do to answer an HTTP request over TCP, and over TLS. It parses
// nothing, knows no deadline and no limit, and answers every piece of bytes
// that it receives with the same reply. Never expose it.
//
// It prints "listening on ADDRESS" and serves until it is killed.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

// options are the knobs of the bare loop. Each is a trick whose price and gain
// docs/adr/0050-the-epoll-loop.md states.
type options struct {
	address string
	body    int  // bytes of the constant body
	close   bool // say Connection: close and close after the reply
	more    bool // send with MSG_MORE, so that the FIN rides in the reply's segment
	linger2 bool // TCP_LINGER2 = -1: an orphan goes as soon as its FIN is acknowledged
	pong    bool // start connections without quick acknowledgements
	lock    bool // tie the loop to its thread
	cooked  bool // system calls that tell the Go scheduler
	doze    int  // ms of a wait that the scheduler is not told of
	edge    bool // edge-triggered events: a socket is asked once for each, not twice
	reno    bool // TCP_CONGESTION = reno: no pacing timer where the system's choice has one
	loops   int  // each on the core of its number, with a socket of its own
	steer   bool // a socket takes the connections whose packets its core handles
	tls     bool // crypto/tls instead, a goroutine for each connection
}

func main() {
	var o options
	flag.StringVar(&o.address, "address", "127.0.0.1:0", "IPv4 `address` to listen on")
	flag.IntVar(&o.body, "body", 400, "`bytes` of the reply's body")
	flag.BoolVar(&o.close, "close", false, "close each connection after its reply")
	flag.BoolVar(&o.more, "more", false, "with -close: let the FIN ride in the reply's segment")
	flag.BoolVar(&o.linger2, "linger2", false, "TCP_LINGER2 = -1")
	flag.BoolVar(&o.pong, "pong", false, "no quick acknowledgements")
	flag.BoolVar(&o.lock, "lock", false, "lock the loop to its thread")
	flag.BoolVar(&o.cooked, "cooked", false, "system calls that tell the scheduler")
	flag.IntVar(&o.doze, "doze", 0, "wait `ms` without telling the scheduler before a wait that does")
	flag.BoolVar(&o.edge, "edge", false, "edge-triggered events")
	flag.BoolVar(&o.reno, "reno", false, "the plainest congestion control")
	flag.IntVar(&o.loops, "loops", 1, "`number` of loops, on cores 0, 1, …")
	flag.BoolVar(&o.steer, "steer", false, "with -loops: connections go to the loop on whose core their packets are handled")
	flag.BoolVar(&o.tls, "tls", false, "serve TLS 1.3 with crypto/tls, goroutine per connection")
	flag.Parse()

	serve := serveLoops
	if o.tls {
		serve = serveTLS
	}
	if err := serve(&o); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// reply is the constant reply, of the shape that the tracker sends.
func (o *options) reply() []byte {
	connection := ""
	if o.close {
		connection = "Connection: close\r\n"
	}
	r := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n", o.body, connection)
	return append(r, announceReply(o.body)...)
}

// announceReply is an announce's reply of the given size, so that a load generator
// that reads replies has nothing against it: as many peers as fit, and a warning
// that fills the rest. Below the size of an empty one it is zeros.
func announceReply(size int) []byte {
	for peers := min(50, size/6); peers >= 0; peers-- {
		for text := range size {
			b := fmt.Appendf(nil, "d8:completei99e10:incompletei99e8:intervali1800e5:peers%d:%s15:warning message%d:%se",
				6*peers, bytes.Repeat([]byte{12, 0, 0, 1, 26, 225}, peers), text, bytes.Repeat([]byte{'.'}, text))
			if len(b) == size {
				return b
			}
			if len(b) > size {
				break
			}
		}
	}
	return make([]byte, size)
}
