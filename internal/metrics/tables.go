package metrics

// trackerMetrics are about requests to the tracker.
func trackerMetrics() []metric {
	return []metric{
		{
			"requests_total", counter,
			"Announces and scrapes that were answered, by kind, by the client's address family, and by outcome: ok, or why the request was refused.",
			[]string{"kind", "family", "outcome"},
			requestsByOutcome,
		},
		{
			"announces_total", counter,
			"Announces that succeeded, by the client's address family and by event; regular is an announce without one.",
			[]string{"family", "event"},
			byFamily(func(s *Snapshot) []ByFamily { return s.Tracker.Announces }),
		},
		{
			"scraped_torrents_total", counter,
			"Torrents that scrapes were answered for.",
			nil, one(func(s *Snapshot) uint64 { return s.Tracker.ScrapedTorrents }),
		},
		{
			"peers_handed_out_total", counter,
			"Peers in replies to announces.",
			nil, one(func(s *Snapshot) uint64 { return s.Tracker.PeersHandedOut }),
		},
		{
			"unreachable_port_announces_total", counter,
			"Announces of port 0 or 1, which are answered, while nobody is given such a peer.",
			nil, one(func(s *Snapshot) uint64 { return s.Tracker.UnreachablePorts }),
		},
	}
}

// requestsByOutcome sums the workers' requests up.
func requestsByOutcome(s *Snapshot, emit emitFunc) {
	type labels struct{ kind, family, outcome string }
	sums := make(map[labels]uint64)
	var order []labels
	for _, r := range s.Tracker.Requests {
		l := labels{r.Kind, r.Family, r.Outcome}
		if _, seen := sums[l]; !seen {
			order = append(order, l)
		}
		sums[l] += r.Value
	}
	for _, l := range order {
		emit(float64(sums[l]), l.kind, l.family, l.outcome)
	}
}

// httpMetrics are about requests and what they weigh.
func httpMetrics() []metric {
	return []metric{
		{
			"http_requests_total", counter,
			"Requests at the level of HTTP, by the client's address family and by what became of them: handled by the tracker, the index page, a status of 400 or more, or a refusal by the server itself.",
			[]string{"family", "outcome"},
			byFamily(func(s *Snapshot) []ByFamily { return s.Server.Requests }),
		},
		{
			"received_bytes_total", counter,
			"Bytes of requests, without those of TLS and TCP/IP.",
			nil, one(func(s *Snapshot) uint64 { return s.Server.BytesIn }),
		},
		{
			"sent_bytes_total", counter,
			"Bytes of replies, without those of TLS and TCP/IP.",
			nil, one(func(s *Snapshot) uint64 { return s.Server.BytesOut }),
		},
	}
}

// connectionMetrics are about connections and who carries them.
func connectionMetrics() []metric {
	return []metric{
		{
			"connections_accepted_total", counter,
			"Connections that were accepted, by the address family of their source; unix sockets count as ipv4.",
			[]string{"family"},
			func(s *Snapshot, emit emitFunc) {
				emit(float64(s.Server.Accepted.IPv4), FamilyIPv4)
				emit(float64(s.Server.Accepted.IPv6), FamilyIPv6)
			},
		},
		{
			"connections", gauge,
			"Connections that are open now, by what they wait for: head is the first request or the rest of one, idle the next request, writing room for the rest of a reply, lingering the rest of what a client sends after its last reply. Other are those over TLS, and those being served.",
			[]string{"state"},
			counts(func(s *Snapshot) []Count { return s.Server.Open }),
		},
		{
			"connection_limit", gauge,
			"The most connections that are allowed, by what is limited; 0 is no limit.",
			[]string{"limit"},
			counts(func(s *Snapshot) []Count { return s.Server.Limits }),
		},
		{
			"connections_closed_total", counter,
			"Connections that have ended, by reason.",
			[]string{"reason"},
			counts(func(s *Snapshot) []Count { return s.Server.Ended }),
		},
		{
			"limit_refusals_total", counter,
			"Connections and requests that were refused because they were over a limit, by the limit.",
			[]string{"limit"},
			counts(func(s *Snapshot) []Count { return s.Server.Refused }),
		},
		{
			"tls_handshakes_total", counter,
			"TLS handshakes, by result: done, or why it failed.",
			[]string{"result"},
			counts(func(s *Snapshot) []Count { return s.Server.Handshakes }),
		},
		{
			"tls_resumed_handshakes_total", counter,
			"TLS handshakes that were shortened by a session ticket.",
			nil,
			one(func(s *Snapshot) uint64 { return s.Server.Resumed }),
		},
		{
			"accept_pauses_total", counter,
			"Times that accepting paused because descriptors or memory had run out.",
			nil, one(func(s *Snapshot) uint64 { return s.Server.AcceptPauses }),
		},
		{
			"accept_errors_total", counter,
			"Other failures to accept a connection.",
			nil, one(func(s *Snapshot) uint64 { return s.Server.AcceptErrors }),
		},
	}
}

// loopMetrics are about the event loops.
func loopMetrics() []metric {
	return []metric{
		{
			"loop_stall_seconds", gauge,
			"How long each event loop has been unresponsive, beyond the pauses of a healthy one: 0 in a loop that is well, growing in one that hangs.",
			[]string{"loop"},
			func(s *Snapshot, emit emitFunc) {
				for i, stall := range s.Server.LoopStall {
					emit(stall.Seconds(), workerIndex(i))
				}
			},
		},
		{
			"loop_busy_ratio", gauge,
			"The share of its time that each event loop was awake lately, from 0 to 1. A loop at 1 has no more to give.",
			[]string{"loop"},
			func(s *Snapshot, emit emitFunc) {
				for i, busy := range s.Server.LoopBusy {
					emit(busy, workerIndex(i))
				}
			},
		},
		{
			"loop_connections", gauge,
			"Connections that wait in each event loop, all states of spate_connections but other.",
			[]string{"loop"},
			func(s *Snapshot, emit emitFunc) {
				for i, n := range s.Server.OpenByWorker {
					emit(float64(n), workerIndex(i))
				}
			},
		},
	}
}

// storeMetrics are about the swarms.
func storeMetrics() []metric {
	return []metric{
		{
			"torrents", gauge, "Torrents with at least one peer.",
			nil, one(func(s *Snapshot) int { return s.Store.Torrents }),
		},
		{
			"remembered_torrents", gauge, "Torrents without peers whose download count is remembered.",
			nil, one(func(s *Snapshot) int { return s.Store.Remembered }),
		},
		{
			"peers", gauge, "Peers in all swarms, by address family.",
			[]string{"family"},
			families(func(s *Snapshot) Families { return Families{s.Store.PeersIPv4, s.Store.PeersIPv6} }),
		},
		{
			"seeders", gauge, "Peers in all swarms that have the complete torrent, by address family.",
			[]string{"family"},
			families(func(s *Snapshot) Families { return s.Store.Seeders }),
		},
		{
			"leechers", gauge, "Peers in all swarms that do not have the complete torrent, partial seeds included, by address family.",
			[]string{"family"},
			families(func(s *Snapshot) Families { return s.Store.Leechers }),
		},
		{
			"store_memory_bytes", gauge, "Memory that the swarms use.",
			nil, one(func(s *Snapshot) int64 { return s.Store.MemoryBytes }),
		},
		{
			"store_memory_limit_bytes", gauge, "Memory that the swarms may use; 0 is no limit.",
			nil, one(func(s *Snapshot) int64 { return s.Store.MemoryLimitBytes }),
		},
	}
}

// sweepMetrics are about what leaves the swarms by itself.
func sweepMetrics() []metric {
	return []metric{
		{
			"sweeps_total", counter, "Complete passes over all torrents in search of what has expired.",
			nil, one(func(s *Snapshot) uint64 { return s.Store.Passes }),
		},
		{
			"sweep_idle_seconds", gauge,
			"The time since the sweep last did a slice of its work. It stays below torrent_cleaning_interval, and grows when the sweep is stuck.",
			nil, func(s *Snapshot, emit emitFunc) { emit(s.Store.SinceSweep.Seconds()) },
		},
		{
			"sweep_interval_seconds", gauge,
			"The time from the start of one pass over all torrents to the start of the next, as configured by torrent_cleaning_interval.",
			nil, func(s *Snapshot, emit emitFunc) { emit(s.Store.SweepInterval.Seconds()) },
		},
		{
			"peers_removed_total", counter, "Peers that the store removed without being asked, by reason.",
			[]string{"reason"},
			counts(func(s *Snapshot) []Count { return s.Store.Removed }),
		},
		{
			"store_refusals_total", counter, "Announces that were refused because the store was full.",
			nil, one(func(s *Snapshot) uint64 { return s.Store.Refused }),
		},
		{
			"forgotten_downloads_total", counter, "Remembered download counts that had to go for lack of memory.",
			nil, one(func(s *Snapshot) uint64 { return s.Store.Forgotten }),
		},
	}
}
