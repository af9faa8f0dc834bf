//go:build linux

package main

import (
	"testing"

	"spate/internal/bittorrent"
	"spate/internal/httpwire"
)

func TestReplyIsAnAnnouncesReplyOfItsSize(t *testing.T) {
	for _, size := range []int{100, 200, 300, 301, 400, 415, 500, 1000} {
		body := announceReply(size)
		var r bittorrent.AnnounceReply
		if err := httpwire.ParseAnnounceReply(body, &r); err != nil || len(body) != size {
			t.Errorf("%d bytes for %d, %v: %q", len(body), size, err, body)
		}
	}
}
