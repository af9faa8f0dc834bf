package load

import "slices"

// shapes returns every client that requests can look like.
func shapes() []*shape { return slices.Concat(commonShapes(), rareShapes(), otherShapes()) }

func commonShapes() []*shape {
	const libcurl = "User-Agent: Transmission/4.0.6\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n"
	return []*shape{
		{
			name: clientAquatic, escapeAll: true, numWant: -1,
			params: []string{"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "event", "numwant", "compact=1"},
		},
		{
			name: "libtorrent", weight: 55, raw: "-_!.~*()", numWant: 200, peerID: "-qB5000-", close: true,
			params: []string{
				"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "corrupt=0", "key", "event",
				"numwant", "compact=1", "no_peer_id=1", "supportcrypto=1", "redundant=0",
			},
			header: "User-Agent: qBittorrent/5.0.0\r\nAccept-Encoding: gzip\r\nConnection: close\r\n",
		},
		{
			name: "transmission", weight: 15, raw: "-_.~", upperHex: true, numWant: 80, peerID: "-TR4060-",
			params: []string{
				"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "numwant", "key", "compact=1",
				"supportcrypto=1", "event",
			},
			header: libcurl,
		},
		{
			name: "rtorrent", weight: 3, raw: "-", upperHex: true, numWant: -1, keyFmt: keyLowerHex, peerID: "-lt0E00-",
			params: []string{"info_hash", "peer_id", "compact=1", "key", "port", "uploaded=0", "downloaded=0", "left", "event"},
			header: "User-Agent: rtorrent/0.16.0\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip\r\n",
		},
		{
			name: "aria2", weight: 3, raw: "-._~", upperHex: true, numWant: 50, keyFmt: keyAlnum, peerID: "A2-1-37-0-",
			params: []string{
				"info_hash", "peer_id", "uploaded=0", "downloaded=0", "left", "compact=1", "key", "numwant", "no_peer_id=1",
				"port", "event", "supportcrypto=1",
			},
			header: "User-Agent: aria2/1.37.0\r\nAccept: */*\r\nWant-Digest: SHA-512;q=1, SHA-256;q=1, SHA;q=0.1\r\n",
		},
		{
			name: "biglybt", weight: 4, raw: "-_.*", upperHex: true, numWant: 60, keyFmt: keyAlnum, peerID: "-BI3800-", close: true,
			params: []string{
				"info_hash", "peer_id", "supportcrypto=1", "port", "azudp=6881", "uploaded=0", "downloaded=0", "left",
				"corrupt=0", "event", "numwant", "no_peer_id=1", "compact=1", "key", "azver=3",
			},
			header: "User-Agent: BiglyBT/3.8.0.0\r\nConnection: close\r\nAccept-Encoding: gzip\r\nAccept: text/html, image/gif, image/jpeg, */*; q=0.2\r\n",
		},
		{
			name: "utorrent", weight: 10, raw: "-", numWant: 200, peerID: "-UT3560-", close: true,
			params: []string{
				"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "corrupt=0", "key", "event",
				"numwant", "compact=1", "no_peer_id=1",
			},
			header: "User-Agent: uTorrent/3560(45988)\r\nAccept-Encoding: gzip\r\nConnection: Close\r\n",
		},
	}
}

func rareShapes() []*shape {
	return []*shape{
		{
			name: "webtorrent", weight: 2, raw: "-_.", upperHex: true, numWant: 50, peerID: "-WW0208-",
			params: []string{"numwant", "uploaded=0", "downloaded=0", "left", "event", "compact=1", "info_hash", "peer_id", "port"},
			header: "Connection: keep-alive\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nUser-Agent: WebTorrent/2.8.0\r\n",
		},
		{
			name: "anacrolix", weight: 2, raw: "-_.~", upperHex: true, numWant: -1, keyFmt: keyDecimal, peerID: "-GT0003-", close: true,
			params: []string{"compact=1", "downloaded=0", "event", "info_hash", "key", "left", "peer_id", "port", "supportcrypto=1", "uploaded=0"},
			header: "User-Agent: Go-http-client/1.1\r\nConnection: close\r\nAccept-Encoding: gzip\r\n",
		},
		{
			name: "lftp", weight: 1, raw: "!$()*,-./:=@_~", upperHex: true, numWant: 50, peerID: "-lftp49-",
			params: []string{"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "compact=1", "no_peer_id=1", "event", "numwant", "key"},
			header: "User-Agent: lftp/4.9.2\r\nAccept: */*\r\n",
		},
		{
			name: "ctorrent", weight: 1, raw: "", upperHex: true, numWant: 100, keyFmt: keyAlnum, peerID: "-CD0303-", http10: true, close: true, noHost: true,
			params: []string{"info_hash", "peer_id", "port", "key", "event", "uploaded=0", "downloaded=0", "left", "compact=1", "numwant"},
			header: "User-Agent: Enhanced-CTorrent/dnh3.3.2\r\n",
		},
	}
}

func otherShapes() []*shape {
	return []*shape{
		{
			name: "bitcomet", weight: 1, upperHex: true, numWant: 200, keyFmt: keyDecimal, peerID: "-BC0209-", close: true,
			params: []string{
				"info_hash", "peer_id", "port", "natmapped=1", "localip=192.168.1.2", "port_type=wan", "uploaded=0", "downloaded=0",
				"left", "numwant", "compact=1", "no_peer_id=1", "key", "event",
			},
			header: "User-Agent: BitComet/2.09\r\nAccept: */*\r\nConnection: close\r\n",
		},
		{
			name: "ktorrent", weight: 1, raw: "-_.!~*'()", upperHex: true, numWant: 200, keyFmt: keyDecimal, peerID: "-KT22C0-",
			params: []string{"peer_id", "port", "uploaded=0", "downloaded=0", "left", "compact=1", "numwant", "key", "event", "info_hash"},
			header: "User-Agent: ktorrent/22.12.0\r\nAccept: text/html, text/plain, */*;q=0.8\r\nConnection: keep-alive\r\n",
		},
		{
			name: "rqbit", weight: 1, raw: "-_.~", upperHex: true, numWant: -1, keyFmt: keyDecimal, peerID: "-rQ0900-", onlyStarts: true,
			params: []string{"info_hash", "peer_id", "event", "port", "uploaded=0", "downloaded=0", "left", "compact=1", "no_peer_id=0", "key"},
			header: "Accept: */*\r\n",
		},
		{
			name: "monotorrent", weight: 1, raw: "-_.!*()", numWant: 100, keyFmt: keyDecimal, peerID: "-MO3002-",
			params: []string{"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "compact=1", "numwant", "key", "event"},
			header: "User-Agent: MO3002\r\n",
		},
		{
			name: "rain", escapeAll: true, numWant: 200, keyFmt: keyLowerHex, peerID: "-RN0100-",
			params: []string{"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "compact=1", "no_peer_id=1", "numwant", "event", "key"},
			header: "User-Agent: Rain/1.0\r\nAccept-Encoding: gzip\r\n",
		},
		{
			name: "unworkable", escapeAll: true, numWant: -1, keyFmt: keyLowerHex, peerID: "-UL0100-", http10: true, close: true, trailer: "\x00",
			params: []string{"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "compact=1", "event", "key"},
			header: "User-agent: Unworkable/1.0\r\n",
		},
	}
}
