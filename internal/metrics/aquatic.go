package metrics

// aquaticMetrics are those of aquatic_http 0.9, for dashboards that were built
// for it:
//
//	aquatic_requests_total      type=announce|scrape         ip_version=4|6  worker_index
//	aquatic_responses_total     type=announce|scrape|error   ip_version=4|6  worker_index
//	aquatic_active_connections                                              worker_index
//	aquatic_torrents                                         ip_version=4|6  worker_index
//	aquatic_peers                                            ip_version=4|6  worker_index
//
// Its worker_index numbers socket workers in the first three and swarm workers
// in the last two. Here the swarms are one, worker 0. A malformed announce is
// no request to aquatic_http, but it is one here.
func aquaticMetrics() []metric {
	return []metric{
		{
			"requests_total", counter, "Requests, as aquatic_http counts them.",
			[]string{"type", "ip_version", "worker_index"},
			aquaticRequests,
		},
		{
			"responses_total", counter, "Replies, as aquatic_http counts them.",
			[]string{"type", "ip_version", "worker_index"},
			aquaticResponses,
		},
		{
			"active_connections", gauge, "Open connections, as aquatic_http counts them.",
			[]string{"worker_index"},
			aquaticConnections,
		},
		{
			"torrents", gauge, "Torrents with peers of an IP version, as aquatic_http counts them.",
			[]string{"ip_version", "worker_index"},
			func(s *Snapshot, emit emitFunc) {
				emit(float64(s.Store.TorrentsIPv4), "4", "0")
				emit(float64(s.Store.TorrentsIPv6), "6", "0")
			},
		},
		{
			"peers", gauge, "Peers of an IP version, as aquatic_http counts them.",
			[]string{"ip_version", "worker_index"},
			func(s *Snapshot, emit emitFunc) {
				emit(float64(s.Store.PeersIPv4), "4", "0")
				emit(float64(s.Store.PeersIPv6), "6", "0")
			},
		},
	}
}

// An aquaticKey is what aquatic_http tells requests and replies apart by.
type aquaticKey struct {
	kind, family string
	worker       int
}

func aquaticRequests(s *Snapshot, emit emitFunc) {
	emitAquatic(s, emit, func(r *Requests) string { return r.Kind })
}

func aquaticResponses(s *Snapshot, emit emitFunc) {
	emitAquatic(s, emit, func(r *Requests) string {
		if r.Outcome != OutcomeOK {
			return "error"
		}
		return r.Kind
	})
}

// emitAquatic sums requests up by what kind makes of them.
func emitAquatic(s *Snapshot, emit emitFunc, kind func(*Requests) string) {
	sums := make(map[aquaticKey]uint64)
	var order []aquaticKey
	for i := range s.Tracker.Requests {
		r := &s.Tracker.Requests[i]
		key := aquaticKey{kind(r), ipVersion(r.Family), r.Worker}
		if _, seen := sums[key]; !seen {
			order = append(order, key)
		}
		sums[key] += r.Value
	}
	for _, key := range order {
		emit(float64(sums[key]), key.kind, key.family, workerIndex(key.worker))
	}
}

// aquaticConnections gives each loop its connections, and the first worker
// those that no loop carries, so that the sum is right.
func aquaticConnections(s *Snapshot, emit emitFunc) {
	workers := append([]uint64(nil), s.Server.OpenByWorker...)
	if len(workers) == 0 {
		workers = []uint64{0}
	}
	var open, inLoops uint64
	for _, c := range s.Server.Open {
		open += c.Value
	}
	for _, n := range workers {
		inLoops += n
	}
	if open > inLoops { // it may be less while connections are handed over
		workers[0] += open - inLoops
	}
	for i, n := range workers {
		emit(float64(n), workerIndex(i))
	}
}

func ipVersion(family string) string {
	if family == FamilyIPv6 {
		return "6"
	}
	return "4"
}
