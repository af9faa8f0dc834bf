package swarm

// Stats returns what the store holds. It takes each shard's lock in turn, for a
// few reads, so it may be called at any time.
func (s *Store) Stats() Stats {
	var st Stats
	for i := range s.shards {
		sh := &s.shards[i]
		sh.lock()
		st.Torrents += int(sh.n)
		st.Remembered += int(sh.remembered)
		st.Seeders4 += sh.seeders[0]
		st.Seeders6 += sh.seeders[1]
		st.Torrents4 += sh.lists[0]
		st.Torrents6 += sh.lists[1]
		st.Peers4 += sh.peers[0]
		st.Peers6 += sh.peers[1]
		st.ExpiredPeers += sh.expired
		st.RefusedPeers += sh.refused
		st.ReplacedPeers += sh.replaced
		st.DisplacedPeers += sh.displaced
		st.RefusedTorrents += sh.full
		st.ForgottenByMemory += sh.forgotten
		st.LeftOutTorrents += sh.leftTorrents
		st.LeftOutPeers += sh.leftPeers
		sh.unlock()
	}
	st.Seeders = st.Seeders4 + st.Seeders6
	st.Leechers = st.Peers4 + st.Peers6 - st.Seeders
	st.Memory = s.arena.used.Load() * pageSize
	s.sweep.mu.Lock()
	st.Passes = s.sweep.passes
	s.sweep.mu.Unlock()
	return st
}
