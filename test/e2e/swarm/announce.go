package swarm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"
)

// A Reply is what the tracker says to an announce.
type Reply struct {
	Complete   int
	Incomplete int
	ExternalIP netip.Addr       // the zero Addr where the tracker names none
	Peers      []netip.AddrPort // of both families
}

// An Announce is a hand-made announce, for tests that need no whole client.
type Announce struct {
	InfoHash metainfo.Hash
	Port     uint16
	Left     int64
	Event    string
	Header   http.Header // in addition to the usual one
}

// Do sends the announce to the tracker with the given announce URL. A failure
// reason comes back as an error.
func (a Announce) Do(client *http.Client, announceURL string) (Reply, error) {
	query := "?info_hash=" + url.QueryEscape(a.InfoHash.AsString()) + "&peer_id=-SP0000-endtoendtest&port=" +
		strconv.Itoa(int(a.Port)) + "&uploaded=0&downloaded=0&compact=1&left=" + strconv.FormatInt(a.Left, 10)
	if a.Event != "" {
		query += "&event=" + a.Event
	}
	req, err := http.NewRequest(http.MethodGet, announceURL+query, nil)
	if err != nil {
		return Reply{}, err
	}
	for name, values := range a.Header {
		req.Header[name] = values
	}
	body, err := do(client, req)
	if err != nil {
		return Reply{}, err
	}
	return parseReply(body)
}

func parseReply(body []byte) (Reply, error) {
	var wire struct {
		Failure    string `bencode:"failure reason"`
		Complete   int    `bencode:"complete"`
		Incomplete int    `bencode:"incomplete"`
		ExternalIP string `bencode:"external ip"`
		Peers      string `bencode:"peers"`
		Peers6     string `bencode:"peers6"`
	}
	if err := bencode.Unmarshal(body, &wire); err != nil {
		return Reply{}, fmt.Errorf("announce reply %q: %w", body, err)
	}
	if wire.Failure != "" {
		return Reply{}, errors.New(wire.Failure)
	}
	r := Reply{Complete: wire.Complete, Incomplete: wire.Incomplete}
	r.ExternalIP, _ = netip.AddrFromSlice([]byte(wire.ExternalIP))
	r.Peers = append(compact(wire.Peers, 4), compact(wire.Peers6, 16)...)
	return r, nil
}

// compact reads peers of addresses of size bytes and a port.
func compact(s string, size int) []netip.AddrPort {
	var peers []netip.AddrPort
	for ; len(s) >= size+2; s = s[size+2:] {
		addr, _ := netip.AddrFromSlice([]byte(s[:size]))
		peers = append(peers, netip.AddrPortFrom(addr, binary.BigEndian.Uint16([]byte(s[size:size+2]))))
	}
	return peers
}
