package daemon

import (
	"fmt"
	"math/bits"
	"time"

	"spate/internal/access"
	"spate/internal/bittorrent"
	"spate/internal/config"
	"spate/internal/http1"
	"spate/internal/httpwire"
	"spate/internal/server"
	"spate/internal/swarm"
	"spate/internal/tracker"
)

const (
	// ageSlack is what a peer's age gets beyond two of the longest intervals: a
	// client may be late.
	ageSlack = 5 * time.Minute
	// memoryShare is the part of the memory that there is, in tenths, that the swarms
	// get. The rest is for connections, the garbage collector's headroom and others.
	memoryShare = 6
	// widestTrust is the length of the shortest prefix that can be an operator's own
	// network: that of the private IPv6 addresses, fc00::/7.
	widestTrust = 7
	// leastMemory holds some ten thousand torrents. Who gives less has most
	// likely left out the unit.
	leastMemory = 4 << 20
)

// indexPage and the URL of indexLink answer GET / on the tracker's listeners.
const (
	indexPage = "Spate, a BitTorrent tracker.\n\nAnnounce URL: "
	indexLink = "/announce"
)

func seconds[N int | int64](n N) time.Duration { return time.Duration(n) * time.Second }

// peerAge returns how long a peer is kept after its last announce.
func peerAge(cfg *config.Config) time.Duration {
	if cfg.Cleaning.MaxPeerAge != 0 {
		return seconds(cfg.Cleaning.MaxPeerAge)
	}
	policy := trackerConfig(cfg)
	return 2*policy.LongestInterval() + ageSlack
}

// swarmConfig returns the store's part of the configuration. Available is the
// memory that the process may use, 0 when that is unknown.
func swarmConfig(cfg *config.Config, available int64) swarm.Config {
	c := swarm.DefaultConfig()
	c.MaxPeersPerIP = cfg.Protocol.MaxPeersPerIP
	c.MaxPeerAge = peerAge(cfg)
	c.DownloadedMemory = seconds(cfg.Cleaning.DownloadedMemory)
	c.MaxTorrents = cfg.Protocol.MaxTorrents
	c.MaxMemory = storeMemory(cfg.Protocol.MaxMemory, available)
	return c
}

// storeMemory returns how many bytes the store may take: what is configured, or as
// much as a store holds where that is less.
func storeMemory(m config.Memory, available int64) int64 {
	n := m.Bytes
	if m.Auto {
		n = available / 10 * memoryShare
	}
	if n == 0 {
		return swarm.MemoryLimit
	}
	return min(n, swarm.MemoryLimit)
}

// trackerConfig returns the policy's part of the configuration.
func trackerConfig(cfg *config.Config) tracker.Config {
	return tracker.Config{
		Interval:              seconds(cfg.Protocol.PeerAnnounceInterval),
		MinInterval:           seconds(cfg.Protocol.MinAnnounceInterval),
		MaxPeers:              cfg.Protocol.MaxPeers,
		MaxScrapeTorrents:     cfg.Protocol.MaxScrapeTorrents,
		MaxFullScrapeTorrents: cfg.Protocol.MaxFullScrapeTorrents,
		PrivatePeers: map[config.PrivatePeers]tracker.PrivatePeers{
			config.PrivatePeersAuto:   tracker.PrivatePeersAuto,
			config.PrivatePeersAlways: tracker.PrivatePeersAlways,
			config.PrivatePeersNever:  tracker.PrivatePeersNever,
		}[cfg.Protocol.HandOutPrivateAddresses],
		TrustedPeerAddresses: cfg.Protocol.TrustedPeerAddressSources,
	}
}

// accessMode returns the mode of the access list.
func accessMode(cfg *config.Config) access.Mode {
	return map[config.AccessMode]access.Mode{
		config.AccessOff:   access.ModeOff,
		config.AccessAllow: access.ModeAllow,
		config.AccessDeny:  access.ModeDeny,
	}[cfg.AccessList.Mode]
}

// serverConfig returns the transport's part of the configuration, without its
// listeners.
func serverConfig(cfg *config.Config) server.Config {
	policy := trackerConfig(cfg)
	failure := func(f bittorrent.Failure) []byte {
		return httpwire.AppendFailure(nil, f, policy.Interval, policy.ToldMinInterval())
	}
	return server.Config{
		Workers:         cfg.SocketWorkers,
		Backlog:         cfg.Network.TCPBacklog,
		KeepAlive:       cfg.Network.KeepAlive,
		MaxRequests:     cfg.Limits.MaxRequestsPerConnection,
		HeadTimeout:     seconds(cfg.Limits.HeadTimeout),
		WriteTimeout:    seconds(cfg.Limits.WriteTimeout),
		IdleTimeout:     seconds(cfg.Cleaning.MaxConnectionIdle),
		ShutdownTimeout: seconds(cfg.Limits.ShutdownTimeout),
		Certificates:    certificateFiles(cfg),
		ClientHeader:    cfg.Network.ReverseProxyIPHeaderName,
		ClientHeaderFormat: map[config.HeaderFormat]http1.AddrFormat{
			config.HeaderLastAddress:   http1.AddrFormatLast,
			config.HeaderForwarded:     http1.AddrFormatForwarded,
			config.HeaderSingleAddress: http1.AddrFormatSingle,
		}[cfg.Network.ReverseProxyIPHeaderFormat],
		TrustedProxies:  cfg.Network.TrustedProxies,
		IndexPage:       []byte(indexPage),
		IndexLink:       indexLink,
		NoClientAddress: failure(bittorrent.FailureClientAddress),
		RateLimited:     failure(bittorrent.FailureRate),
		Limits:          serverLimits(&cfg.Limits),
	}
}

// serverLimits returns what one address may cost.
func serverLimits(l *config.Limits) server.Limits {
	return server.Limits{
		MaxConnections:     l.MaxConnections,
		AddressConnections: l.MaxConnectionsPerIP,
		ConnectionRate:     l.ConnectionsPerSecondPerIP,
		ConnectionBurst:    l.ConnectionBurstPerIP,
		RequestRate:        l.RequestsPerSecondPerIP,
		RequestBurst:       l.RequestBurstPerIP,
		Exempt:             l.ExemptSources,
	}
}

// certificateFiles returns the certificates, that of [network] first. Without a
// listener that speaks TLS there are none.
func certificateFiles(cfg *config.Config) (files []server.CertificateFiles) {
	if !needsTLS(cfg) {
		return nil
	}
	if cfg.Network.TLSCertificatePath != "" {
		files = append(files, server.CertificateFiles{Chain: cfg.Network.TLSCertificatePath, Key: cfg.Network.TLSPrivateKeyPath})
	}
	for _, c := range cfg.TLS.Certificates {
		files = append(files, server.CertificateFiles{Chain: c.CertificatePath, Key: c.PrivateKeyPath})
	}
	return files
}

// certificateKey returns the key of the configuration that names a certificate.
func (d *Daemon) certificateKey(files server.CertificateFiles) string {
	for i, c := range d.cfg.TLS.Certificates {
		if c.CertificatePath == files.Chain && c.PrivateKeyPath == files.Key {
			return fmt.Sprintf("tls.certificates[%d].certificate_path", i)
		}
	}
	return "network.tls_certificate_path"
}

// needsTLS reports whether any listener speaks TLS.
func needsTLS(cfg *config.Config) bool {
	for _, l := range cfg.Listeners {
		if l.TLS {
			return true
		}
	}
	return cfg.Network.EnableTLS && (cfg.Network.UseIPv4 || cfg.Network.UseIPv6)
}

// serverProxy returns how a listener learns the addresses of its clients.
func serverProxy(p config.ProxyKind) server.Proxy {
	return map[config.ProxyKind]server.Proxy{
		config.ProxyNone:     server.ProxyNone,
		config.ProxyHeader:   server.ProxyHeader,
		config.ProxyProtocol: server.ProxyProtocol,
	}[p]
}

// hasProxy reports whether a proxy tells any listener its clients' addresses.
func hasProxy(cfg *config.Config) bool {
	for _, l := range cfg.Listeners {
		if l.Proxy != config.ProxyNone {
			return true
		}
	}
	return cfg.Network.RunsBehindReverseProxy || cfg.Network.ProxyProtocol
}

// notes returns what an operator should know about the configuration, one
// sentence each: what is served as configured and hardly meant, and what has no
// effect.
func notes(cfg *config.Config) (warn, info []string) {
	policy := trackerConfig(cfg)
	if longest := policy.LongestInterval(); peerAge(cfg) < longest {
		warn = append(warn, fmt.Sprintf("[cleaning] max_peer_age = %d is shorter than the %d seconds between two announces of a client: peers will be missing in between",
			cfg.Cleaning.MaxPeerAge, longest/time.Second))
	}
	if m := cfg.Protocol.MaxMemory; !m.Auto && m.Bytes > 0 && m.Bytes < leastMemory {
		warn = append(warn, fmt.Sprintf("[protocol] max_memory = %d bytes is next to nothing: nearly all torrents will be refused; a size is written with its unit, such as \"512 MiB\"", m.Bytes))
	} else if !m.Auto && m.Bytes > swarm.MemoryLimit {
		warn = append(warn, fmt.Sprintf("[protocol] max_memory = %d MiB is served as %d MiB, as much as swarms can take in a process of %d bits", m.Bytes>>20, swarm.MemoryLimit>>20, bits.UintSize))
	}
	for _, p := range cfg.Network.TrustedProxies {
		if p.Bits() < widestTrust && hasProxy(cfg) {
			warn = append(warn, fmt.Sprintf("[network] trusted_proxies has %v: everybody there can name any other client's address", p))
		}
	}
	if n := &cfg.Network; n.UseIPv6 && !n.SetOnlyIPv6 && !n.DualStack() && n.AddressIPv6.Addr().IsUnspecified() && !n.AddressIPv4.Addr().IsUnspecified() {
		warn = append(warn, fmt.Sprintf("[network] set_only_ipv6 = false has no effect: IPv4 is address_ipv4 = %s and no more, because that has the same port", n.AddressIPv4))
	}
	for _, l := range cfg.Listeners {
		if kind, _, _ := l.Endpoint(); kind == config.EndpointUnix && l.Proxy == config.ProxyNone {
			warn = append(warn, fmt.Sprintf(`[[listeners]] address = %q refuses all announces: a unix socket shows no client address; needs proxy = "header" or "proxy_protocol", and a reverse proxy that names the client`, l.Address))
		}
	}
	if cfg.Metrics.RunPrometheusEndpoint && !cfg.Metrics.PrometheusEndpointAddress.Addr().IsLoopback() {
		info = append(info, "[metrics] prometheus_endpoint_address = "+cfg.Metrics.PrometheusEndpointAddress.String()+" shows the metrics to whoever can reach it; [admin] has them too, and keeps strangers out")
	}
	standard := config.Default()
	for _, key := range []struct {
		path string
		set  bool
		why  string
	}{
		{"swarm_workers", cfg.SwarmWorkers != standard.SwarmWorkers, "every socket worker reaches all swarms"},
		{
			"cleaning.connection_cleaning_interval", cfg.Cleaning.ConnectionCleaningInterval != standard.Cleaning.ConnectionCleaningInterval,
			"connections end when they are due",
		},
		{
			"metrics.torrent_count_update_interval", cfg.Metrics.TorrentCountUpdateInterval != standard.Metrics.TorrentCountUpdateInterval,
			"all values are as fresh as the request for them",
		},
	} {
		if key.set {
			info = append(info, key.path+" has no effect here: "+key.why)
		}
	}
	if text := acmeNote(cfg); text != "" {
		info = append(info, text)
	}
	return warn, info
}
