package http1

// Heads of real clients, with the header order of their sources or of captures
// (who sends what is in the table of each test that uses them).
const (
	query = "info_hash=%124Vx%9a%bc%de%f1%23Eg%89%ab%cd%ef%124Vx%9a&peer_id=-LT2060-abcdefghijkl" +
		"&port=6881&uploaded=0&downloaded=0&left=16384&corrupt=0&key=1A2B3C4D&event=started" +
		"&numwant=200&compact=1&no_peer_id=1&supportcrypto=1&redundant=0"

	libtorrentHead = "GET /announce?" + query + " HTTP/1.1\r\n" +
		"Host: tracker.example.org:6969\r\nUser-Agent: libtorrent/2.0.6.0\r\n" +
		"Accept-Encoding: gzip\r\nConnection: close\r\n\r\n"

	transmissionHead = "GET /announce?" + query + " HTTP/1.1\r\n" +
		"Host: tracker.example.org:6969\r\nUser-Agent: Transmission/4.0.5\r\n" +
		"Accept: */*\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n\r\n"

	aria2Head = "GET /announce?" + query + " HTTP/1.1\r\n" +
		"User-Agent: aria2/1.36.0\r\nAccept: */*\r\nHost: tracker.example.org:6969\r\n" +
		"Pragma: no-cache\r\nCache-Control: no-cache\r\nWant-Digest: SHA-512;q=1, SHA-256;q=1, SHA;q=0.1\r\n\r\n"

	ctorrentHead = "GET /announce?" + query + " HTTP/1.0\r\nUser-Agent: Enhanced-CTorrent/dnh3.3.2\r\n\r\n"

	unworkableHead = "GET /announce?" + query + " HTTP/1.0\r\n" +
		"Host: tracker.example.org\r\nUser-agent: Unworkable/0.53\r\n\r\n"

	uTorrentHead = "GET /announce?" + query + " HTTP/1.1\r\nHost: tracker.example.org:6969\r\n" +
		"User-Agent: uTorrent/3550(109815936)(46096)\r\nAccept-Encoding: gzip\r\nConnection: Close\r\n\r\n"

	abHead = "GET /announce?" + query + " HTTP/1.0\r\nConnection: Keep-Alive\r\n" +
		"Host: 127.0.0.1:3000\r\nUser-Agent: ApacheBench/2.3\r\nAccept: */*\r\n\r\n"

	lftpHead = "GET /announce?info_hash=!$(),-./:=@_~%00=a=b=c%FF&port=1 HTTP/1.1\r\n" +
		"Host: tracker.example.org\r\nUser-Agent: lftp/4.9.2\r\nAccept: */*\r\n\r\n"

	browserHead = "GET /announce?" + query + " HTTP/1.1\r\n" +
		"Host: tracker.example.org\r\nConnection: keep-alive\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"124\", \"Google Chrome\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n" +
		"sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nDNT: 1\r\nUpgrade-Insecure-Requests: 1\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
		"Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
		"Cookie: theme=dark; consent=yes; session=0123456789abcdef0123456789abcdef\r\n" +
		"Sec-GPC: 1\r\nPriority: u=0, i\r\n\r\n"

	cloudflareHead = "GET /announce?" + query + " HTTP/1.1\r\n" +
		"Host: tracker.example.org\r\nAccept-Encoding: gzip, br\r\nCF-Ray: 8a1b2c3d4e5f6789-FRA\r\n" +
		"X-Forwarded-For: 203.0.113.7\r\nCF-Visitor: {\"scheme\":\"https\"}\r\nX-Forwarded-Proto: https\r\n" +
		"Connection: Keep-Alive\r\nUser-Agent: qBittorrent/4.6.5\r\nCF-IPCountry: DE\r\n" +
		"CF-Connecting-IP: 203.0.113.7\r\nCDN-Loop: cloudflare; loops=1\r\n\r\n"
)
