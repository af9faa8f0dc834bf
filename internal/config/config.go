// Package config owns the configuration file: its sections, their defaults and
// documentation, which values go together, and the commented print. Any aquatic_http
// 0.9 file loads with the same meaning. The packages that are configured know nothing
// of the file; daemon maps its sections to their configurations.
//
// The doc comments of the fields below are the comments of `spate -p` and of
// docs/configuration.md; `go generate` copies them (docs_generated.go).
package config

import (
	"net/netip"

	"spate/internal/ipaddr"
	"spate/internal/tomlfile"
)

//go:generate go run ../tomlfile/docgen
//go:generate go test -run ^TestReference$ -update

// A Config is everything that can be configured. Default and Load make one.
type Config struct {
	// Number of event loops that carry the connections. 0 is one for each core.
	SocketWorkers int `toml:"socket_workers" range:"0..1024"`
	// Accepted for aquatic_http's sake, without effect: there are no swarm
	// workers, every socket worker reaches all swarms.
	SwarmWorkers int `toml:"swarm_workers" range:"0..1024"`
	// How much is logged: off, error, warn, info, debug or trace. Only trace
	// writes a line for each request.
	LogLevel LogLevel `toml:"log_level" enum:"off error warn info debug trace"`

	Network    Network    `toml:"network"`
	Listeners  []Listener `toml:"listeners"`
	TLS        TLS        `toml:"tls"`
	Protocol   Protocol   `toml:"protocol"`
	Cleaning   Cleaning   `toml:"cleaning"`
	Limits     Limits     `toml:"limits"`
	Privileges Privileges `toml:"privileges"`
	AccessList AccessList `toml:"access_list"`
	Snapshot   Snapshot   `toml:"snapshot"`
	Metrics    Metrics    `toml:"metrics"`
	Admin      Admin      `toml:"admin"`
	Log        Log        `toml:"log"`

	source tomlfile.Source
}

// The default pair of listeners, and what holds for all of them.
type Network struct {
	// Listen on IPv4.
	UseIPv4 bool `toml:"use_ipv4"`
	// Listen on IPv6. Where this key or address_ipv6 is given, a machine without
	// IPv6 is an error; otherwise it is a warning.
	UseIPv6 bool `toml:"use_ipv6"`
	// IPv4 address and port: "0.0.0.0:3000" for all interfaces, "127.0.0.1:3000"
	// for this machine only. Port 0 picks a free one.
	AddressIPv4 netip.AddrPort `toml:"address_ipv4" address:"4"`
	// IPv6 address and port: "[::]:3000" for all interfaces, "[::1]:3000" for
	// this machine only. Port 0 picks a free one.
	AddressIPv6 netip.AddrPort `toml:"address_ipv6" address:"6"`
	// The one address and port of aquatic_http 0.9.0, in place of the default
	// pair: it stands for use_ipv4 and address_ipv4, or for use_ipv6,
	// address_ipv6 and set_only_ipv6 = only_ipv6, and excludes those.
	Address string `toml:"address"`
	// With address: take IPv6 only, where that is an IPv6 address.
	OnlyIPv6 bool `toml:"only_ipv6"`
	// Connections that may wait to be accepted. The kernel's own bound
	// (net.core.somaxconn) holds too.
	TCPBacklog int `toml:"tcp_backlog" range:"1..2147483647"`
	// Speak TLS on the default pair of listeners. Plain and TLS listeners can
	// live side by side: see [[listeners]].
	EnableTLS bool `toml:"enable_tls"`
	// Certificate chain, PEM or DER. It is read at the start, on SIGUSR1, and some
	// seconds after the file has changed.
	TLSCertificatePath string `toml:"tls_certificate_path"`
	// Private key of the certificate, PEM or DER (PKCS#8, PKCS#1 or SEC1).
	TLSPrivateKeyPath string `toml:"tls_private_key_path"`
	// Keep connections open after a reply. Public trackers usually answer one
	// request for each connection; a reverse proxy gains by kept ones.
	KeepAlive bool `toml:"keep_alive"`
	// The default pair of listeners stands behind a reverse proxy that names the
	// client in a header. Requests from a source outside trusted_proxies keep
	// their own address.
	RunsBehindReverseProxy bool `toml:"runs_behind_reverse_proxy"`
	// Name of the header in which the reverse proxy names the client, in any
	// letter case.
	ReverseProxyIPHeaderName string `toml:"reverse_proxy_ip_header_name"`
	// How that header is read. last_address: the right-most address that is no
	// trusted proxy's, over all instances of the header (X-Forwarded-For).
	// forwarded: the same for the Forwarded header of RFC 7239. single_address:
	// one address and nothing else (X-Real-IP, CF-Connecting-IP).
	ReverseProxyIPHeaderFormat HeaderFormat `toml:"reverse_proxy_ip_header_format" enum:"last_address forwarded single_address"`
	// The default pair of listeners expects a PROXY protocol header, version 1 or
	// 2, before the first request of each connection.
	ProxyProtocol bool `toml:"proxy_protocol"`
	// Sources that are believed when they name a client's address, as prefixes
	// or single addresses. Unix sockets always are.
	TrustedProxies []netip.Prefix `toml:"trusted_proxies"`
	// The IPv6 socket takes IPv6 only. When false it takes IPv4 as well, unless
	// address_ipv4 has the same port.
	SetOnlyIPv6 bool `toml:"set_only_ipv6"`
}

// A further listener, beside the default pair of [network]. The table may come
// any number of times; all listeners serve the same swarms.
type Listener struct {
	// Where it listens: an IPv4 or IPv6 address with a port ("192.0.2.1:80",
	// "[2001:db8::1]:443"), a unix socket ("unix:/run/spate/http.sock", or
	// "unix:@name" for an abstract one), or a socket that systemd passes
	// ("systemd:NAME", where NAME is the FileDescriptorName of the socket unit).
	Address string `toml:"address"`
	// Speak TLS, with the certificates of [network] and [tls].
	TLS bool `toml:"tls"`
	// Who names the client's address. none: the connection itself. header: a
	// reverse proxy, in reverse_proxy_ip_header_name. proxy_protocol: a PROXY
	// protocol header, version 1 or 2.
	Proxy ProxyKind `toml:"proxy" enum:"none header proxy_protocol"`
	// Permissions of a unix socket's file, in octal.
	Mode FileMode `toml:"mode"`
	// User that a unix socket's file belongs to, by name or number. Empty leaves
	// it with the user that starts the tracker.
	Owner string `toml:"owner"`
	// Group that a unix socket's file belongs to, by name or number.
	Group string `toml:"group"`
}

// Certificates beside the one of [network].
type TLS struct {
	Certificates []Certificate `toml:"certificates"`
	ACME         ACME          `toml:"acme"`
}

// A further certificate. A client gets the one that covers the server name it
// asks for, and the first one where none does.
type Certificate struct {
	// Certificate chain, PEM or DER.
	CertificatePath string `toml:"certificate_path"`
	// Private key of the certificate, PEM or DER.
	PrivateKeyPath string `toml:"private_key_path"`
}

// Certificates from an authority that speaks ACME (RFC 8555), such as Let's
// Encrypt: obtained at the first start, renewed when a third of their life is left.
// Clients that ask for one of the names get its certificate, others those above.
type ACME struct {
	// Host names, each of which gets a certificate of its own. By naming one you agree
	// to the authority's terms of service; while the list is empty no authority is asked.
	Domains []string `toml:"domains" example:"tracker.example.org"`
	// E-mail address at which the authority may write to you about the certificates. It
	// is passed on when the account is made; empty passes none on.
	Email string `toml:"email"`
	// URL of the authority's directory.
	CA string `toml:"ca"`
	// Directory for the account's key, the certificates and their keys. It is made
	// with permissions 0700 where it is missing. With drop_privileges it has to lie
	// below chroot_path.
	Storage string `toml:"storage"`
	// How the authority checks that the names are yours. http-01: by a request without
	// TLS to port 80 of each, which has to lead to a listener without TLS. tls-alpn-01:
	// by a TLS handshake on port 443, which has to lead to a listener with TLS.
	Challenge Challenge `toml:"challenge" enum:"http-01 tls-alpn-01"`
}

// What clients are told.
type Protocol struct {
	// Torrents that one scrape is answered for; the rest of its hashes is left
	// out.
	MaxScrapeTorrents int64 `toml:"max_scrape_torrents" range:"0..4294967295"`
	// A scrape without any info hash is answered for all torrents where there are
	// no more than this; otherwise it fails. 0 refuses it always. One answer, which
	// may be some seconds old, is for all who ask, and counts in their
	// requests_per_second_per_ip by its length.
	MaxFullScrapeTorrents int `toml:"max_full_scrape_torrents" range:"0..65536"`
	// Peers in one reply at most. More than 200 is served as 200.
	MaxPeers int `toml:"max_peers" range:"0..2147483647"`
	// Seconds that clients are asked to wait between announces. Each reply adds
	// up to 10 %, so that clients do not come in waves.
	PeerAnnounceInterval int `toml:"peer_announce_interval" range:"1..1073741823"`
	// Seconds that clients are asked to wait at least, also between scrapes.
	// 0 is half of peer_announce_interval.
	MinAnnounceInterval int `toml:"min_announce_interval" range:"0..1073741823"`
	// Peers that one torrent holds from one address (IPv6: from one /64); a
	// further one replaces the oldest. 0 is no limit. Loopback and private
	// addresses have none.
	MaxPeersPerIP int `toml:"max_peers_per_ip" range:"0..256"`
	// Memory that the swarms may take: "auto" (six tenths of what the machine or
	// its cgroup has), a number of bytes, or a size such as "512 MiB" or "8 GiB".
	// 0 is as much as there can be: 64 GiB, and 1.25 GiB in a 32-bit process. At the
	// limit new torrents are refused, known ones are not.
	MaxMemory Memory `toml:"max_memory"`
	// Torrents at most; a further one is refused. 0 is no limit.
	MaxTorrents int `toml:"max_torrents" range:"0..2147483647"`
	// Who is given peers with private, loopback or link-local addresses, or with
	// one behind a carrier's NAT (100.64.0.0/10). auto: clients that have such an
	// address themselves. always, never: everybody, nobody.
	HandOutPrivateAddresses PrivatePeers `toml:"hand_out_private_addresses" enum:"auto always never"`
	// Sources that may announce another address than their own (ip=, ipv4=,
	// ipv6=), as prefixes or single addresses.
	TrustedPeerAddressSources []netip.Prefix `toml:"trusted_peer_address_sources"`
}

// When old peers, connections and counts go. All values are seconds.
type Cleaning struct {
	// How often peers and torrents are looked through for old ones. The work is
	// spread out over a part of that time.
	TorrentCleaningInterval int64 `toml:"torrent_cleaning_interval" range:"1..4294967295"`
	// Accepted for aquatic_http's sake, without effect: connections end exactly
	// when they are due.
	ConnectionCleaningInterval int64 `toml:"connection_cleaning_interval" range:"0..4294967295"`
	// A peer that has not announced for this long is dropped. 0 is twice the
	// longest interval that a client is told, plus 5 minutes.
	MaxPeerAge int64 `toml:"max_peer_age" range:"0..4294967295"`
	// A kept connection without a request for this long is closed.
	MaxConnectionIdle int64 `toml:"max_connection_idle" range:"1..4294967295"`
	// The number of downloads of a torrent that has lost its last peer is
	// remembered for this long. 0 forgets it at once.
	DownloadedMemory int64 `toml:"downloaded_memory" range:"0..4294967295"`
}

// What one client may cost. On SIGUSR1 the file is read again, unless privileges
// were dropped: the limits of connections and of requests a second change, timeouts
// and max_requests_per_connection wait for a restart.
type Limits struct {
	// Seconds from a connection's start, or from the first byte of a later
	// request, until the whole request has to be there.
	HeadTimeout int `toml:"head_timeout" range:"1..3600"`
	// Seconds that a client may take to receive a reply.
	WriteTimeout int `toml:"write_timeout" range:"1..3600"`
	// Seconds that a stop may take. For its first 0.3 seconds, or a quarter of it
	// if that is less, kept connections may ask once more; idle ones end then, and
	// the others when what they have begun is answered.
	ShutdownTimeout int `toml:"shutdown_timeout" range:"1..3600"`
	// Requests on one connection, after which it is closed. 0 is no limit.
	MaxRequestsPerConnection int `toml:"max_requests_per_connection" range:"0..2147483647"`
	// Connections that may be open at once. 0 is as many as the process may have
	// open files. Where there are as many, one that waits for a request gives way
	// to the next.
	MaxConnections int `toml:"max_connections" range:"0..2147483647"`
	// Connections that one address may have open at once. Here and below, an
	// address is an IPv4 address or an IPv6 /64, and 0 is no limit. No honest
	// network of hundreds of clients behind one address meets these limits.
	MaxConnectionsPerIP int `toml:"max_connections_per_ip" range:"0..2147483647"`
	// Connections that one address may open a second in the long run.
	ConnectionsPerSecondPerIP int `toml:"connections_per_second_per_ip" range:"0..2147483647"`
	// Connections that one address may open at once after a pause.
	ConnectionBurstPerIP int `toml:"connection_burst_per_ip" range:"0..2147483647"`
	// Requests of one client address a second in the long run. A reply counts as one
	// more for each 16 KiB of it.
	RequestsPerSecondPerIP int `toml:"requests_per_second_per_ip" range:"0..2147483647"`
	// Requests of one client address at once after a pause.
	RequestBurstPerIP int `toml:"request_burst_per_ip" range:"0..2147483647"`
	// Addresses without limits of their own, as prefixes or single addresses.
	// Unix sockets have none either, and where a listener stands behind a proxy,
	// trusted_proxies.
	ExemptSources []netip.Prefix `toml:"exempt_sources"`
}

// What the process gives up once its sockets are open. Needs root (Linux).
type Privileges struct {
	// Change the root directory, the group and the user after all sockets are
	// open, and give up all capabilities.
	DropPrivileges bool `toml:"drop_privileges"`
	// The new root directory. The snapshot and the files that are read again on
	// SIGUSR1 (access list, certificates) have to lie below it.
	ChrootPath string `toml:"chroot_path"`
	// The new group, by name or number.
	Group string `toml:"group"`
	// The new user, by name or number.
	User string `toml:"user"`
}

// Which torrents are served. The file is read at the start and on SIGUSR1. A
// broken file stops the start; later the old list stays and the log says why.
type AccessList struct {
	// off: all torrents. allow: only those in the file. deny: all but those in
	// the file.
	Mode AccessMode `toml:"mode" enum:"off allow deny"`
	// File with one info hash a line: 40 hex digits, or 64 for a v2 torrent.
	// Blank lines are skipped, and # begins a comment. With drop_privileges the path
	// may also be one below chroot_path.
	Path string `toml:"path"`
	// Load the file again when it changes, and not only on SIGUSR1.
	Watch bool `toml:"watch"`
}

// What survives a restart: torrents, peers and download counts.
type Snapshot struct {
	// File that the swarms are written to when the tracker stops, and read from
	// when it starts. Empty switches it off: swarms then build up again as clients
	// announce, and download counts are lost. Each tracker needs a path of its own;
	// a lock beside the file, which ends with the process, keeps a second one out.
	Path string `toml:"path"`
	// Seconds between two writes while the tracker runs, so that a crash or a
	// power cut costs no more than that. 0 writes at the stop only.
	Interval int `toml:"interval" range:"0..604800"`
}

// Prometheus metrics on an address of their own.
type Metrics struct {
	// Serve /metrics at prometheus_endpoint_address. [admin] serves it too.
	RunPrometheusEndpoint bool `toml:"run_prometheus_endpoint"`
	// Address and port of the metrics.
	PrometheusEndpointAddress netip.AddrPort `toml:"prometheus_endpoint_address" address:"any"`
	// Accepted for aquatic_http's sake, without effect: all values are as fresh
	// as the request for them.
	TorrentCountUpdateInterval int64 `toml:"torrent_count_update_interval" range:"0..4294967295"`
	// First word of all metric names. "aquatic" gives aquatic_http's own metrics
	// with its names and labels.
	Namespace string `toml:"namespace"`
}

// The operator's own listener: a dashboard at /, /metrics, /health, /stats.json.
type Admin struct {
	// Address and port ("127.0.0.1:3001") or unix socket
	// ("unix:/run/spate/admin.sock"). Empty switches it off.
	Address string `toml:"address"`
	// Password that requests have to show (Authorization: Bearer ...). Needed
	// when the address is neither loopback nor a unix socket.
	Token string `toml:"token" secret:"yes"`
	// Serve /debug/pprof and the store's invariants too.
	Debug bool `toml:"debug"`
}

// The form of the log, which goes to standard error.
type Log struct {
	// text or json.
	Format LogFormat `toml:"format" enum:"text json"`
	// Write client addresses into the log. They are personal data. Without this
	// the trace level shows of a reply only its length or its failure.
	LogAddresses bool `toml:"log_addresses"`
}

// Default returns the configuration of a tracker that nobody configured.
func Default() Config {
	return Config{
		SwarmWorkers: 1,
		LogLevel:     LevelInfo,
		Network: Network{
			UseIPv4:                    true,
			UseIPv6:                    true,
			AddressIPv4:                netip.AddrPortFrom(netip.IPv4Unspecified(), 3000),
			AddressIPv6:                netip.AddrPortFrom(netip.IPv6Unspecified(), 3000),
			TCPBacklog:                 1024,
			KeepAlive:                  true,
			ReverseProxyIPHeaderName:   "X-Forwarded-For",
			ReverseProxyIPHeaderFormat: HeaderLastAddress,
			TrustedProxies:             ipaddr.LocalPrefixes(),
			SetOnlyIPv6:                true,
		},
		TLS: TLS{ACME: ACME{CA: "https://acme-v02.api.letsencrypt.org/directory", Challenge: ChallengeHTTP}},
		Protocol: Protocol{
			MaxScrapeTorrents:       100,
			MaxPeers:                50,
			PeerAnnounceInterval:    1800,
			MaxPeersPerIP:           64,
			MaxMemory:               Memory{Auto: true},
			HandOutPrivateAddresses: PrivatePeersAuto,
		},
		Cleaning: Cleaning{
			TorrentCleaningInterval:    30,
			ConnectionCleaningInterval: 60,
			MaxConnectionIdle:          180,
			DownloadedMemory:           86400,
		},
		Limits: Limits{
			HeadTimeout:               10,
			WriteTimeout:              10,
			ShutdownTimeout:           5,
			MaxConnectionsPerIP:       1000,
			ConnectionsPerSecondPerIP: 250,
			ConnectionBurstPerIP:      5000,
			RequestsPerSecondPerIP:    250,
			RequestBurstPerIP:         5000,
			ExemptSources:             ipaddr.LocalPrefixes(),
		},
		Privileges: Privileges{ChrootPath: ".", Group: "nogroup", User: "nobody"},
		AccessList: AccessList{Mode: AccessOff, Path: "./access-list.txt"},
		Snapshot:   Snapshot{Interval: 600},
		Metrics: Metrics{
			PrometheusEndpointAddress:  netip.AddrPortFrom(netip.IPv4Unspecified(), 9000),
			TorrentCountUpdateInterval: 10,
			Namespace:                  "spate",
		},
		Log: Log{Format: LogText},
	}
}

// DefaultListener returns what a [[listeners]] table says that says nothing.
func DefaultListener() Listener { return Listener{Proxy: ProxyNone, Mode: 0o660} }

// SetDefaults makes l what DefaultListener returns.
func (l *Listener) SetDefaults() { *l = DefaultListener() }
