package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sizedHandler answers /SIZE/LETTER with so many of that letter. At /gate it tells
// that it was asked, and waits.
type sizedHandler struct{ asked, open chan struct{} }

func (h sizedHandler) Handle(_ time.Duration, _ netip.Addr, path, _, dst []byte) ([]byte, bool) {
	if string(path) == "/gate" {
		h.asked <- struct{}{}
		<-h.open
		return append(dst, "open"...), true
	}
	size, letter, _ := strings.Cut(string(path[1:]), "/")
	n, err := strconv.Atoi(size)
	if err != nil {
		return dst, false
	}
	return append(dst, strings.Repeat(letter, n)...), true
}

// A batchCase is what kept connections send, and what they get.
type batchCase struct {
	name  string
	sizes []int  // of the replies
	query int    // bytes of each request's query
	rest  string // sent after the requests
	half  bool   // the client sends no more
	bad   bool   // a 400 comes after the replies
	ends  bool   // the server closes
}

var batchCases = []batchCase{
	{name: "one", sizes: []int{100}},
	{name: "two", sizes: []int{0, 7}},
	{name: "more than is received at first", sizes: slicesOf(20, 30), query: 500},
	{name: "a head as large as what is received at first", sizes: []int{1}, query: arrivalSize - len("GET /1/a? HTTP/1.1\r\nHost: a\r\n\r\n")},
	{name: "more than the output's limit", sizes: slicesOf(10, outputLimit/3)},
	{name: "more than is kept", sizes: []int{2 * maxScratch, 3}},
	{name: "the end behind it", sizes: []int{5}, half: true, ends: true},
	{name: "the end behind much", sizes: slicesOf(20, 30), query: 500, half: true, ends: true},
	{name: "the end in a head", sizes: []int{5}, rest: "GET /", half: true, ends: true},
	{name: "garbage behind it", sizes: []int{5}, rest: "GET\r\n\r\n", bad: true, ends: true},
}

func slicesOf(n, size int) (sizes []int) {
	for range n {
		sizes = append(sizes, size)
	}
	return sizes
}

// write sends the case's requests, whose replies are of one letter.
func (b *batchCase) write(c net.Conn, letter byte) error {
	var out bytes.Buffer
	for _, size := range b.sizes {
		fmt.Fprintf(&out, "GET /%d/%c?%s HTTP/1.1\r\nHost: a\r\n\r\n", size, letter, strings.Repeat("q", b.query))
	}
	out.WriteString(b.rest)
	if _, err := c.Write(out.Bytes()); err != nil {
		return err
	}
	if b.half {
		return c.(*net.TCPConn).CloseWrite()
	}
	return nil
}

// read reads all that the case gets.
func (b *batchCase) read(r *bufio.Reader, letter byte) error {
	for i, size := range b.sizes {
		body, status, err := readReply(r)
		if err != nil {
			return fmt.Errorf("reply %d: %w", i, err)
		}
		if status != 200 || len(body) != size || bytes.Count(body, []byte{letter}) != size {
			return fmt.Errorf("reply %d has status %d and %d bytes, of which %d are %c; want %d", i, status, len(body), bytes.Count(body, []byte{letter}), letter, size)
		}
	}
	if b.bad {
		if _, status, err := readReply(r); err != nil || status != 400 {
			return fmt.Errorf("the last reply has status %d, %w", status, err)
		}
	}
	if b.ends {
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			return fmt.Errorf("read %d bytes, %v, want the end", n, err)
		}
	}
	return nil
}

func readReply(r *bufio.Reader) (body []byte, status int, err error) {
	reply, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, 0, err
	}
	defer reply.Body.Close()
	body, err = io.ReadAll(reply.Body)
	return body, reply.StatusCode, err
}

// TestBatch lets many kept connections have something to be read on at one wake-up,
// one after the other of every kind, three times over.
func TestBatch(t *testing.T) {
	h := sizedHandler{make(chan struct{}), make(chan struct{})}
	s, err := New(Config{
		Listeners: []Listener{{Network: NetworkTCP4, Address: loopbackAny}}, Workers: 1, KeepAlive: true, HeadTimeout: testHeadLimit,
		ShutdownTimeout: testPatience,
	}, func() Handler { return h }, nil)
	if err != nil {
		t.Fatal(err)
	}
	runTestServer(t, s)
	conns := make([]net.Conn, 1+3*len(batchCases))
	readers := make([]*bufio.Reader, len(conns))
	for i := range conns {
		if conns[i], err = net.Dial("tcp", s.Addrs()[0].String()); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close()
		_ = conns[i].SetDeadline(time.Now().Add(testPatience))
		readers[i] = bufio.NewReader(conns[i])
		first := batchCase{sizes: []int{1}}
		if err := first.write(conns[i], 'a'); err != nil {
			t.Fatal(err)
		}
		if err := first.read(readers[i], 'a'); err != nil {
			t.Fatal(err)
		}
	}
	gate := len(conns) - 1
	if _, err := io.WriteString(conns[gate], "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-h.asked
	for i, c := range conns[:gate] {
		if err := batchCases[i%len(batchCases)].write(c, byte('a'+i%26)); err != nil {
			t.Fatal(err)
		}
	}
	h.open <- struct{}{}
	if body, _, err := readReply(readers[gate]); err != nil || string(body) != "open" {
		t.Fatalf("the gate says %q, %v", body, err)
	}
	for i := range gate {
		if b := &batchCases[i%len(batchCases)]; t.Failed() {
			break
		} else if err := b.read(readers[i], byte('a'+i%26)); err != nil {
			t.Errorf("connection %d, %s: %v", i, b.name, err)
		}
	}
	// Who was not to end is served on.
	for i := range gate {
		again := batchCase{sizes: []int{9}}
		if batchCases[i%len(batchCases)].ends {
			continue
		}
		if err := again.write(conns[i], 'z'); err != nil {
			t.Fatal(err)
		}
		if err := again.read(readers[i], 'z'); err != nil {
			t.Errorf("connection %d, %s, is not served on: %v", i, batchCases[i%len(batchCases)].name, err)
		}
	}
}
