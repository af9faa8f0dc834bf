package swarm

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"
)

// Counts is what a scrape says of one torrent.
type Counts struct {
	Complete   int `bencode:"complete"`
	Incomplete int `bencode:"incomplete"`
	Downloaded int `bencode:"downloaded"`
}

// String is for messages of failed tests.
func (c Counts) String() string {
	return fmt.Sprintf("complete %d, incomplete %d, downloaded %d", c.Complete, c.Incomplete, c.Downloaded)
}

// maxReply is more than any reply that the tests ask for.
const maxReply = 1 << 20

// Scrape asks the tracker with the given announce URL about one torrent.
func Scrape(client *http.Client, announceURL string, h metainfo.Hash) (Counts, error) {
	at := strings.LastIndex(announceURL, "announce")
	if at < 0 {
		return Counts{}, fmt.Errorf("%s has no scrape URL", announceURL)
	}
	body, err := Get(client, announceURL[:at]+"scrape"+announceURL[at+len("announce"):]+"?info_hash="+url.QueryEscape(h.AsString()))
	if err != nil {
		return Counts{}, err
	}
	var reply struct {
		Files map[string]Counts `bencode:"files"`
	}
	if err := bencode.Unmarshal(body, &reply); err != nil {
		return Counts{}, fmt.Errorf("scrape reply %q: %w", body, err)
	}
	counts, ok := reply.Files[h.AsString()]
	if !ok {
		return Counts{}, fmt.Errorf("scrape reply %q lacks the torrent", body)
	}
	return counts, nil
}

// Get returns the body of a reply with status 200.
func Get(client *http.Client, target string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	return do(client, req)
}

func do(client *http.Client, req *http.Request) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %q", req.URL.Path, resp.Status, body)
	}
	return body, nil
}
