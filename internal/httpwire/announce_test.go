package httpwire

import (
	"net/netip"
	"strings"
	"testing"

	"spate/internal/bittorrent"
)

// Parts of queries that many tests share: a hash with every kind of byte, as
// libtorrent escapes it.
const (
	hashQuery = "info_hash=%00%26%3d%2b%25%20a%ffz~%0d%0a%7f%80%c3()*!."
	hashRaw   = "\x00&=+% a\xffz~\r\n\x7f\x80\xc3()*!."
	goodQuery = hashQuery + "&peer_id=-LT2110-abcdefghijkl&port=6881&left=1"
)

// testHash is hashQuery's info hash.
var testHash = bittorrent.InfoHash([]byte(hashRaw))

// mustParse parses query and fails the test where that fails.
func mustParse(t *testing.T, query string) bittorrent.AnnounceRequest {
	t.Helper()
	var r bittorrent.AnnounceRequest
	if f := ParseAnnounce([]byte(query), &r); f != bittorrent.FailureNone {
		t.Fatalf("ParseAnnounce(%q): %s", query, f.Label())
	}
	return r
}

func TestParseAnnounceQueryGrammar(t *testing.T) {
	raw := "info_hash=aaaaaaaaaaaaaaaaa=b="
	for _, tc := range []struct {
		name, query string
		want        string // the info hash
	}{
		{"first = ends the key, raw = in the value", raw + "&port=1", "aaaaaaaaaaaaaaaaa=b="},
		{"+ is a space", "info_hash=aaaaaaaaaa+aaaaaaaaa&port=1", "aaaaaaaaaa aaaaaaaaa"},
		{"escapes in both letter cases", "info_hash=%aB%Ab%AB%abaaaaaaaaaaaaaaaa&port=1", "\xab\xab\xab\xabaaaaaaaaaaaaaaaa"},
		{"raw bytes of every kind", "info_hash=\x00\x01\x7f\x80\xff;/?:@#[]!$'()*\xc3&port=1", "\x00\x01\x7f\x80\xff;/?:@#[]!$'()*\xc3"},
		{"; does not separate", "a;info_hash=x&info_hash=aaaaaaaaaaaaaaaaaaaa&port=1", "aaaaaaaaaaaaaaaaaaaa"},
		{"names are not unescaped", "info%5fhash=x&%69nfo_hash=y&info_hash=aaaaaaaaaaaaaaaaaaaa&port=1", "aaaaaaaaaaaaaaaaaaaa"},
		{"names are compared with their letter case", "INFO_HASH=x&Port=x&info_hash=aaaaaaaaaaaaaaaaaaaa&port=1", "aaaaaaaaaaaaaaaaaaaa"},
		{"parameters without = are ignored", "info_hash&port&info_hash=aaaaaaaaaaaaaaaaaaaa&port=1&left", "aaaaaaaaaaaaaaaaaaaa"},
		{"empty parameters are ignored", "&&info_hash=aaaaaaaaaaaaaaaaaaaa&&&port=1&", "aaaaaaaaaaaaaaaaaaaa"},
		{"empty names are ignored", "=x&=&info_hash=aaaaaaaaaaaaaaaaaaaa&port=1", "aaaaaaaaaaaaaaaaaaaa"},
		{"unknown parameters are ignored", "passkey=%zz&info_hash=aaaaaaaaaaaaaaaaaaaa&infohash=x&x=%&port=1", "aaaaaaaaaaaaaaaaaaaa"},
		{"parameters in any order", "port=1&left=0&info_hash=aaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaa"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := mustParse(t, tc.query)
			if got := string(r.InfoHash[:]); got != tc.want {
				t.Errorf("info hash is %q, want %q", got, tc.want)
			}
			if r.Port != 1 {
				t.Errorf("port is %d, want 1", r.Port)
			}
		})
	}
}

func TestParseAnnounceFailures(t *testing.T) {
	const h = "info_hash=aaaaaaaaaaaaaaaaaaaa"
	hex40 := strings.Repeat("0123456789", 4)
	hex64 := strings.Repeat("0123ABCDefabcdef", 4)
	for _, tc := range []struct {
		name, query string
		want        bittorrent.Failure
	}{
		{"empty query", "", bittorrent.FailureInfoHashMissing},
		{"info_hash missing", "port=1", bittorrent.FailureInfoHashMissing},
		{"info_hash empty", "info_hash=&port=1", bittorrent.FailureInfoHashLength},
		{"info_hash of 19 bytes", "info_hash=aaaaaaaaaaaaaaaaaaa&port=1", bittorrent.FailureInfoHashLength},
		{"info_hash that & cuts short", "info_hash=aaaaaaaaaa&aaaaaaaaa&port=1", bittorrent.FailureInfoHashLength},
		{"info_hash of 21 bytes", h + "a&port=1", bittorrent.FailureInfoHashLength},
		{"info_hash of 33 bytes", h + "aaaaaaaaaaaaa&port=1", bittorrent.FailureInfoHashLength},
		{"info_hash of 40 hex digits", "info_hash=" + hex40 + "&port=1", bittorrent.FailureInfoHashHex},
		{"info_hash of 40 escaped hex digits", "info_hash=%3" + hex40[:1] + hex40[1:] + "&port=1", bittorrent.FailureInfoHashHex},
		{"info_hash of 64 hex digits", "info_hash=" + hex64 + "&port=1", bittorrent.FailureInfoHashHex},
		{"info_hash of 40 bytes, not hex", "info_hash=" + hex40[:39] + "g&port=1", bittorrent.FailureInfoHashLength},
		{"info_hash of 65 hex digits", "info_hash=" + hex64 + "0&port=1", bittorrent.FailureInfoHashLength},
		{"info_hash of 4,000 bytes", "info_hash=" + strings.Repeat("a", 4000) + "&port=1", bittorrent.FailureInfoHashLength},
		{"info_hash with % at the end", "info_hash=aaaaaaaaaaaaaaaaaaa%&port=1", bittorrent.FailureInfoHashEscape},
		{"info_hash with one digit at the end", "info_hash=aaaaaaaaaaaaaaaaaaa%a&port=1", bittorrent.FailureInfoHashEscape},
		{"info_hash with a digit that is none", "info_hash=aaaaaaaaaaaaaaaaaaa%ag&port=1", bittorrent.FailureInfoHashEscape},
		{"info_hash with a bad escape behind its 20 bytes", h + "%gg&port=1", bittorrent.FailureInfoHashEscape},
		{"info_hash twice", h + "&" + h + "&port=1", bittorrent.FailureInfoHashDuplicate},
		{"info_hash twice, the second empty", h + "&info_hash=&port=1", bittorrent.FailureInfoHashDuplicate},
		{"peer_id of 19 bytes", h + "&peer_id=aaaaaaaaaaaaaaaaaaa&port=1", bittorrent.FailurePeerIDLength},
		{"peer_id of 21 bytes", h + "&peer_id=aaaaaaaaaaaaaaaaaaaaa&port=1", bittorrent.FailurePeerIDLength},
		{"peer_id with a bad escape", h + "&peer_id=aaaaaaaaaaaaaaaaa%zz&port=1", bittorrent.FailurePeerIDLength},
		{"port missing", h, bittorrent.FailurePortMissing},
		{"port without =", h + "&port", bittorrent.FailurePortMissing},
		{"port empty", h + "&port=", bittorrent.FailurePortInvalid},
		{"port not a number", h + "&port=x", bittorrent.FailurePortInvalid},
		{"port with a letter behind it", h + "&port=6881x", bittorrent.FailurePortInvalid},
		{"port negative", h + "&port=-1", bittorrent.FailurePortInvalid},
		{"port with a plus, a space", h + "&port=+6881", bittorrent.FailurePortInvalid},
		{"port with a bad escape", h + "&port=688%3", bittorrent.FailurePortInvalid},
		{"port 65536", h + "&port=65536", bittorrent.FailurePortInvalid},
		{"port that wraps 64 bits to 1", h + "&port=18446744073709551617", bittorrent.FailurePortInvalid},
		{"two different ports", h + "&port=1&port=2", bittorrent.FailurePortDuplicate},
		{"two different ports, the first 0", h + "&port=0&port=2", bittorrent.FailurePortDuplicate},
		{"a port and garbage", h + "&port=1&port=x", bittorrent.FailurePortInvalid},
		{"garbage and a port", h + "&port=x&port=1", bittorrent.FailurePortInvalid},
		{"info_hash is reported before port", "port=x&peer_id=x&info_hash=x", bittorrent.FailureInfoHashLength},
		{"peer_id is reported before port", "port=x&peer_id=x&" + h, bittorrent.FailurePeerIDLength},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := bittorrent.AnnounceRequest{Port: 7, Seeder: true}
			if got := ParseAnnounce([]byte(tc.query), &r); got != tc.want {
				t.Errorf("ParseAnnounce(%q) = %s, want %s", tc.query, got.Label(), tc.want.Label())
			}
			if r != (bittorrent.AnnounceRequest{}) {
				t.Errorf("the request is %+v after a failure, want its zero value", r)
			}
		})
	}
}

func TestParseAnnounceInfoHash(t *testing.T) {
	if r := mustParse(t, goodQuery); r.InfoHash != testHash {
		t.Errorf("info hash is %q, want %q", r.InfoHash[:], testHash[:])
	}
	v2 := "info_hash=%61bcdefghijklmnopqrst456789012345"
	if r := mustParse(t, v2+"&port=1"); string(r.InfoHash[:]) != "abcdefghijklmnopqrst" {
		t.Errorf("the 32 bytes of a v2 hash gave %q, want its first 20", r.InfoHash[:])
	}
}

func TestParseAnnouncePeerID(t *testing.T) {
	for _, query := range []string{
		hashQuery + "&port=1",
		hashQuery + "&port=1&peer_id=",
		hashQuery + "&port=1&peer_id",
		hashQuery + "&port=1&peer_id=-UT3550-%00%01%02%03%04%05%06%07%08%09%0a%0b",
		hashQuery + "&port=1&peer_id=x&peer_id=-UT3550-aaaaaaaaaaaa",
	} {
		mustParse(t, query)
	}
}

func TestParseAnnouncePort(t *testing.T) {
	for value, want := range map[string]uint16{
		"0": 0, "1": 1, "6881": 6881, "65535": 65535, "006881": 6881, "%36881": 6881,
		"6881&port=6881": 6881, "6881&port=06881": 6881,
	} {
		if r := mustParse(t, hashQuery+"&port="+value); r.Port != want {
			t.Errorf("port=%s gave %d, want %d", value, r.Port, want)
		}
	}
}

func TestParseAnnounceLeft(t *testing.T) {
	for params, seeder := range map[string]bool{
		"&left=0": true, "&left=00": true, "&left=%30": true, "&left=1&left=0": true,
		"": false, "&left": false, "&left=": false, "&left=1": false, "&left=-1": false,
		"&left=-0": false, "&left=x": false, "&left=0x": false, "&left=%3": false,
		"&left=9223372036854775807": false, "&left=18446744073709551616": false,
		"&left=1000000000000000000000000000000": false, "&left=0&left=1": false,
		"&left=0&left=x": false, "&Left=0": false,
	} {
		if r := mustParse(t, hashQuery+"&port=1"+params); r.Seeder != seeder {
			t.Errorf("%q: seeder is %t, want %t", params, r.Seeder, seeder)
		}
	}
}

func TestParseAnnounceEvent(t *testing.T) {
	for params, want := range map[string]bittorrent.Event{
		"&event=started": bittorrent.EventStarted, "&event=stopped": bittorrent.EventStopped,
		"&event=completed": bittorrent.EventCompleted, "&event=paused": bittorrent.EventPaused,
		"&event=STARTED": bittorrent.EventStarted, "&event=sToPpEd": bittorrent.EventStopped,
		"&event=%73topped": bittorrent.EventStopped, "&event=stopped&event=started": bittorrent.EventStarted,
		"": bittorrent.EventNone, "&event": bittorrent.EventNone, "&event=": bittorrent.EventNone,
		"&event=empty": bittorrent.EventNone, "&event=start": bittorrent.EventNone,
		"&event=stopped%zz": bittorrent.EventNone, "&event=stopped&event=": bittorrent.EventNone,
		"&event=\x13topped": bittorrent.EventNone,
	} {
		if r := mustParse(t, hashQuery+"&port=1"+params); r.Event != want {
			t.Errorf("%q: event is %q, want %q", params, r.Event, want)
		}
	}
}

func TestParseAnnounceNumWant(t *testing.T) {
	for params, want := range map[string]int{
		"": -1, "&numwant": -1, "&numwant=": -1, "&numwant=-1": -1, "&numwant=x": -1, "&numwant=5x": -1,
		"&numwant=%zz": -1, "&numwant=0": 0, "&numwant=50": 50, "&numwant=%350": 50, "&numwant=200": 200,
		"&numwant=2147483648": MaxNumWant, "&numwant=99999999999999999999999999": MaxNumWant,
		"&numwant=5&numwant=7": 7, "&numwant=5&numwant=x": -1,
	} {
		if r := mustParse(t, hashQuery+"&port=1"+params); r.NumWant != want {
			t.Errorf("%q: numwant is %d, want %d", params, r.NumWant, want)
		}
	}
}

func TestParseAnnounceCompact(t *testing.T) {
	for params, compact := range map[string]bool{
		"": true, "&compact": true, "&compact=": true, "&compact=1": true, "&compact=x": true,
		"&compact=00": true, "&compact=%zz": true, "&compact=0": false, "&compact=%30": false,
		"&compact=1&compact=0": false, "&compact=0&compact=1": true,
	} {
		if r := mustParse(t, hashQuery+"&port=1"+params); r.Compact != compact {
			t.Errorf("%q: compact is %t, want %t", params, r.Compact, compact)
		}
	}
}

func TestParseAnnounceClaimedAddresses(t *testing.T) {
	for _, tc := range []struct{ params, ip, ipv4, ipv6 string }{
		{params: ""},
		{params: "&ip=1.2.3.4", ip: "1.2.3.4"},
		{params: "&ip=2001:db8::1", ip: "2001:db8::1"},
		{params: "&ip=2001%3adb8%3A%3a1", ip: "2001:db8::1"},
		{params: "&ip=::ffff:1.2.3.4", ip: "1.2.3.4"},
		{params: "&ip=1.2.3.4:6881", ip: "1.2.3.4"},
		{params: "&ip=[2001:db8::1]:6881", ip: "2001:db8::1"},
		{params: "&ip=[2001:db8::1]", ip: "2001:db8::1"},
		{params: "&ip=fe80::1%25eth0", ip: "fe80::1"},
		{params: "&ip=tracker.example.org"},
		{params: "&ip=None&ipv4=None&ipv6=None"},
		{params: "&ip=&ipv4=&ipv6="},
		{params: "&ip=%zz&ipv4=%&ipv6=%1"},
		{params: "&ip=1.2.3.4:x"},
		{params: "&ip=host:6881"},
		{params: "&ip=1.2.3.4:65536"},
		{params: "&ip=[1.2.3.4]:80"},
		{params: "&ip=[::1"},
		{params: "&ip=[::1]x"},
		{params: "&ip=01.2.3.4"},
		{params: "&ip=1.2.3.4&ip=5.6.7.8", ip: "5.6.7.8"},
		{params: "&ip=1.2.3.4&ip=x"},
		{params: "&ipv4=1.2.3.4&ipv6=2001:db8::1", ipv4: "1.2.3.4", ipv6: "2001:db8::1"},
		{params: "&ipv4=1.2.3.4:6881&ipv6=[2001:db8::1]:6881", ipv4: "1.2.3.4", ipv6: "2001:db8::1"},
		{params: "&ipv6=2001:db8::1&ipv6=2001:db8::2", ipv6: "2001:db8::2"},
		{params: "&ipv4=2001:db8::1&ipv6=1.2.3.4"},
		{params: "&ip=" + strings.Repeat("1", 500)},
	} {
		r := mustParse(t, hashQuery+"&port=1"+tc.params)
		for _, field := range []struct {
			name string
			got  netip.Addr
			want string
		}{{"ip", r.IP, tc.ip}, {"ipv4", r.IPv4, tc.ipv4}, {"ipv6", r.IPv6, tc.ipv6}} {
			var want netip.Addr
			if field.want != "" {
				want = netip.MustParseAddr(field.want)
			}
			if field.got != want {
				t.Errorf("%q: %s is %v, want %v", tc.params, field.name, field.got, want)
			}
		}
	}
}

func TestParseAnnounceIgnoredParameters(t *testing.T) {
	want := mustParse(t, goodQuery)
	for _, params := range []string{
		"&uploaded=1&downloaded=2&corrupt=3&redundant=4", "&uploaded=-1&downloaded=x&corrupt=&redundant",
		"&key=%zz&trackerid=%&supportcrypto=1&requirecrypto=1", "&no_peer_id=1&cryptoport=9&azudp=5&natmapped=1",
		"&ports=1&portx&por=1&info_hashes=x&peer_ids=x&lefty=0&events=stopped&numwanted=0&compacted=0&ipv5=1.2.3.4",
		"&ip4=1.2.3.4&i=&p=&l=&e=&n=&c=&I=&_=",
	} {
		if got := mustParse(t, goodQuery+params); got != want {
			t.Errorf("%q changes the request to %+v", params, got)
		}
		if got := mustParse(t, params[1:]+"&"+goodQuery); got != want {
			t.Errorf("%q in front changes the request to %+v", params, got)
		}
	}
}

// TestParseAnnounceDuplicates: the last one wins, but for info_hash and port,
// which TestParseAnnounceFailures has.
func TestParseAnnounceDuplicates(t *testing.T) {
	first := "&left=0&event=stopped&numwant=1&compact=0&ip=1.1.1.1&ipv4=2.2.2.2&ipv6=::3&peer_id=bad"
	last := "&left=5&event=started&numwant=9&compact=1&ip=4.4.4.4&ipv4=5.5.5.5&ipv6=::6&peer_id=aaaaaaaaaaaaaaaaaaaa"
	port := hashQuery + "&port=1"
	if got, want := mustParse(t, port+first+last), mustParse(t, port+last); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	var r bittorrent.AnnounceRequest
	if f := ParseAnnounce([]byte(port+last+first), &r); f != bittorrent.FailurePeerIDLength {
		t.Errorf("a bad peer_id after a good one: %s", f.Label())
	}
}
