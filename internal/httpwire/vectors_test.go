package httpwire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"spate/internal/bittorrent"
)

// vector is one request of testdata/clients.txt, and what it asks.
type vector struct {
	client string
	head   []string // its request line and header lines
	hashes []bittorrent.InfoHash
	want   bittorrent.AnnounceRequest
}

// target returns the path and the query of the vector's request line.
func (v *vector) target() (path, query []byte, err error) {
	if len(v.head) == 0 {
		return nil, nil, fmt.Errorf("no request")
	}
	parts := strings.Split(v.head[0], " ")
	if len(parts) != 3 || parts[0] != "GET" || parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0" {
		return nil, nil, fmt.Errorf("%q is no request line", v.head[0])
	}
	for _, line := range v.head[1:] {
		if name, _, ok := strings.Cut(line, ":"); !ok || name == "" || strings.Contains(name, " ") {
			return nil, nil, fmt.Errorf("%q is no header line", line)
		}
	}
	p, q, _ := strings.Cut(parts[1], "?")
	return []byte(p), []byte(q), nil
}

// loadVectors reads testdata/clients.txt, whose head explains it.
func loadVectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/clients.txt")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	inside := false
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "":
			inside = false
			continue
		case line[0] == '#':
			continue
		case !inside:
			vectors = append(vectors, vector{want: bittorrent.AnnounceRequest{NumWant: bittorrent.NumWantUnset}})
			inside = true
		}
		if err := vectors[len(vectors)-1].add(line); err != nil {
			t.Fatalf("testdata/clients.txt:%d: %v", i+1, err)
		}
	}
	return vectors
}

// add takes one line of a vector.
func (v *vector) add(line string) (err error) {
	name, value, ok := strings.Cut(line, " ")
	if !ok || value == "" {
		return fmt.Errorf("%q is no name and value", line)
	}
	switch name {
	case ">":
		v.head = append(v.head, value)
	case "client":
		v.client = value
	case "info_hash":
		h, err := hex.DecodeString(value)
		if err != nil || len(h) != bittorrent.InfoHashLen {
			return fmt.Errorf("%q is no info hash", value)
		}
		v.hashes = append(v.hashes, bittorrent.InfoHash(h))
		v.want.InfoHash = bittorrent.InfoHash(h)
	case "port":
		port, err := strconv.ParseUint(value, 10, 16)
		v.want.Port = uint16(port)
		return err
	case "numwant":
		v.want.NumWant, err = strconv.Atoi(value)
	case "event":
		v.want.Event = eventOf[value]
		if v.want.Event == bittorrent.EventNone {
			return fmt.Errorf("%q is no event", value)
		}
	case "ip":
		v.want.IP, err = netip.ParseAddr(value)
	case "ipv4":
		v.want.IPv4, err = netip.ParseAddr(value)
	case "ipv6":
		v.want.IPv6, err = netip.ParseAddr(value)
	case "seeder", "compact":
		if value != "yes" {
			return fmt.Errorf("%s is %q, want yes or nothing", name, value)
		}
		v.want.Seeder = v.want.Seeder || name == "seeder"
		v.want.Compact = v.want.Compact || name == "compact"
	default:
		return fmt.Errorf("unknown name %q", name)
	}
	return err
}

// eventOf spells the events independently of the parser.
var eventOf = map[string]bittorrent.Event{
	"started": bittorrent.EventStarted, "stopped": bittorrent.EventStopped,
	"completed": bittorrent.EventCompleted, "paused": bittorrent.EventPaused,
}

// TestClients parses what real clients send.
func TestClients(t *testing.T) {
	clients := map[string]bool{}
	for _, v := range loadVectors(t) {
		t.Run(v.client, func(t *testing.T) {
			path, query, err := v.target()
			if err != nil {
				t.Fatal(err)
			}
			switch ParsePath(path) {
			case RouteAnnounce:
				var r bittorrent.AnnounceRequest
				if f := ParseAnnounce(query, &r); f != bittorrent.FailureNone {
					t.Fatalf("%s: %s", f.Label(), query)
				}
				if r != v.want {
					t.Errorf("got  %+v\nwant %+v", r, v.want)
				}
			case RouteScrape:
				var r bittorrent.ScrapeRequest
				if f := ParseScrape(query, 100, &r); f != bittorrent.FailureNone {
					t.Fatalf("%s: %s", f.Label(), query)
				}
				if !slices.Equal(r.InfoHashes, v.hashes) {
					t.Errorf("got  %v\nwant %v", r.InfoHashes, v.hashes)
				}
			default:
				t.Fatalf("%q is no path of the tracker", path)
			}
		})
		name, _, _ := strings.Cut(v.client, " ")
		clients[strings.TrimSuffix(name, ",")] = true
	}
	for _, name := range []string{
		"libtorrent-rasterbar", "Transmission", "rTorrent", "aria2", "BiglyBT", "KTorrent", "webtorrent",
		"anacrolix/torrent", "rain", "rqbit", "MonoTorrent", "lftp", "enhanced", "unworkable", "BitTornado",
		"uTorrent", "BitTorrent", "BitComet", "BitLord", "newTrackon",
	} {
		if !clients[name] {
			t.Errorf("testdata/clients.txt has no vector of %s", name)
		}
	}
}

// TestClientsVectorsAreStrict: a vector file with a misspelt name would test
// nothing.
func TestClientsVectorsAreStrict(t *testing.T) {
	for _, line := range []string{
		"infohash 00", "client", "info_hash 00", "port x", "port 65536", "event start", "ip x", "seeder no", "seeder ",
	} {
		var v vector
		if err := v.add(line); err == nil {
			t.Errorf("%q is accepted", line)
		}
	}
}

// FuzzParseAnnounce: no query makes the parser panic, and what parses comes back
// from appendAnnounceQuery's rendering as the same request.
func FuzzParseAnnounce(f *testing.F) {
	for _, v := range loadVectors(f) {
		_, query, err := v.target()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(query)
	}
	for _, query := range []string{
		"", "&", "=", "%", "info_hash=%", "port=&info_hash", goodQuery + "&numwant=%-1",
		goodQuery + "&ip=::ffff:1.2.3.4&ipv4=[::1]:1&ipv6=fe80::1%25eth0&port=06881",
		"info_hash=" + strings.Repeat("0a", 32), "info_hash=" + strings.Repeat("%aB", 32) + "&port=%31",
	} {
		f.Add([]byte(query))
	}
	f.Fuzz(func(t *testing.T, query []byte) {
		var r, back bittorrent.AnnounceRequest
		before := bytes.Clone(query)
		if failure := ParseAnnounce(query, &r); failure != bittorrent.FailureNone {
			if r != (bittorrent.AnnounceRequest{}) || int(failure) >= bittorrent.FailureCount {
				t.Fatalf("failure %d with the request %+v", failure, r)
			}
			return
		}
		if !bytes.Equal(query, before) {
			t.Fatal("the query was changed")
		}
		if r.NumWant < bittorrent.NumWantUnset || r.NumWant > MaxNumWant {
			t.Fatalf("numwant is %d", r.NumWant)
		}
		for _, a := range []netip.Addr{r.IP, r.IPv4, r.IPv6} {
			if a.Is4In6() || a.Zone() != "" {
				t.Fatalf("the address %v is IPv4-mapped or has a zone", a)
			}
		}
		if r.IPv4.Is6() || r.IPv6.Is4() {
			t.Fatalf("ipv4 is %v, ipv6 is %v", r.IPv4, r.IPv6)
		}
		again := appendAnnounceQuery(nil, &r, &testPeerID)
		if failure := ParseAnnounce(again, &back); failure != bittorrent.FailureNone || back != r {
			t.Fatalf("%q\ngave       %+v\nand %q\ngave %s, %+v", query, r, again, failure.Label(), back)
		}
	})
}

// FuzzParseScrape: no query makes the parser panic, and what parses comes back
// from appendScrapeQuery's rendering as the same request.
func FuzzParseScrape(f *testing.F) {
	for _, v := range loadVectors(f) {
		_, query, err := v.target()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(query, 5)
	}
	f.Add([]byte("info_hash=&info_hash"), 1)
	f.Add([]byte(strings.Repeat(hashQuery+"&", 5)+"info_hash="+strings.Repeat("a", 32)), 2)
	f.Fuzz(func(t *testing.T, query []byte, limit int) {
		limit = max(limit, 1)
		var r, back bittorrent.ScrapeRequest
		if failure := ParseScrape(query, limit, &r); failure != bittorrent.FailureNone {
			if len(r.InfoHashes) > 0 {
				t.Fatalf("%d hashes with a failure", len(r.InfoHashes))
			}
			return
		}
		if len(r.InfoHashes) == 0 || len(r.InfoHashes) > limit {
			t.Fatalf("%d hashes, want 1 to %d", len(r.InfoHashes), limit)
		}
		for i := 1; i < len(r.InfoHashes); i++ {
			if bytes.Compare(r.InfoHashes[i-1][:], r.InfoHashes[i][:]) >= 0 {
				t.Fatalf("hashes %d and %d are not in ascending order", i-1, i)
			}
		}
		again := appendScrapeQuery(nil, r.InfoHashes)
		if failure := ParseScrape(again, limit, &back); failure != bittorrent.FailureNone || !slices.Equal(back.InfoHashes, r.InfoHashes) {
			t.Fatalf("%q\ngave %v\nand %q\ngave %s, %v", query, r.InfoHashes, again, failure.Label(), back.InfoHashes)
		}
	})
}
