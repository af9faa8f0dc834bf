package tracker_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
	"spate/internal/tracker"
)

// requests returns libtorrent announces for torrents, several peers each.
func requests(torrents, peers int) (clients []netip.Addr, queries [][]byte) {
	for i := range torrents * peers {
		var h bittorrent.InfoHash
		binary.BigEndian.PutUint64(h[4:], uint64(i%torrents)*0x9e3779b97f4a7c15)
		queries = append(queries, fmt.Appendf(nil,
			"info_hash=%s&peer_id=-LT20A0-%%9b%%1c%%7f%%e2kW~1%%a0tQ%%d3&port=%d&uploaded=0&downloaded=0&left=%d&corrupt=0&key=5A1D3C07&event=started&numwant=200&compact=1&no_peer_id=1&supportcrypto=1&redundant=0",
			url.QueryEscape(string(h[:])), 1024+i%60000, i%3))
		clients = append(clients, netip.AddrFrom4([4]byte{198, 18 + byte(i>>16), byte(i >> 8), byte(i)}))
	}
	return clients, queries
}

func newWorker(tb testing.TB) *tracker.Worker {
	tb.Helper()
	store, err := swarm.New(swarm.DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	tr, err := tracker.New(tracker.Default(), store, refusing{})
	if err != nil {
		tb.Fatal(err)
	}
	return tr.NewWorker()
}

// BenchmarkHandle is one request from path to body, against 10,000 torrents
// that have peers.
func BenchmarkHandle(b *testing.B) {
	const torrents, peers = 10_000, 8
	clients, queries := requests(torrents, peers)
	run := func(name, path string, query func(i int) []byte) {
		b.Run(name, func(b *testing.B) {
			w := newWorker(b)
			dst := make([]byte, 0, 16<<10)
			for i := range queries {
				w.Handle(time.Second, clients[i], []byte("/announce"), queries[i], dst)
			}
			p := []byte(path)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at := i * 7919 % len(queries)
				w.Handle(time.Minute, clients[at], p, query(at), dst)
			}
		})
	}
	run("announce", "/announce", func(i int) []byte { return queries[i] })
	run("hot announce", "/announce", func(i int) []byte { return queries[i/torrents*torrents] })
	run("scrape", "/scrape", func(i int) []byte { return queries[i] })
	run("refused", "/announce", func(int) []byte { return nil })
}

// TestHandleDoesNotAllocate holds the budget of no allocation per request.
func TestHandleDoesNotAllocate(t *testing.T) {
	const torrents, peers = 100, 8
	clients, queries := requests(torrents, peers)
	w := newWorker(t)
	dst := make([]byte, 0, 64<<10)
	for i := range queries {
		w.Handle(time.Second, clients[i], []byte("/announce"), queries[i], dst)
	}
	var scrape []byte
	for i := range torrents {
		query, _, _ := bytes.Cut(queries[i], []byte("&"))
		scrape = append(append(scrape, query...), '&')
	}
	for _, tc := range []struct {
		name, path string
		query      []byte
	}{
		{"announce", "/announce", nil},
		{"announce, list of dictionaries", "/announce", []byte("&compact=0")},
		{"stopped", "/announce", []byte("&event=stopped")},
		{"scrape of 100", "/scrape", scrape},
		{"failure", "/announce", []byte("&port=0&port=1")},
		{"unknown path", "/nothing", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path, i := []byte(tc.path), 0
			buf := make([]byte, 0, 1024)
			allocs := testing.AllocsPerRun(1000, func() {
				query := tc.query
				if tc.path == "/announce" {
					query = append(append(buf, queries[i]...), tc.query...)
				}
				w.Handle(time.Minute, clients[i], path, query, dst)
				i = (i + 1) % len(queries)
			})
			if allocs != 0 {
				t.Errorf("%v allocations a request, want 0", allocs)
			}
		})
	}
}
