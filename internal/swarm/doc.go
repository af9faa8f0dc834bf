// Package swarm is the tracker's memory: which peers share which torrent.
//
// A Store is sharded by info hash. Announces that only renew a peer's time pass each
// other within a shard, whatever changes more waits for all (lane.go). Nothing in it
// that grows with torrents or peers holds a Go pointer, so the garbage collector
// has nothing to look at; every slab is dense, so what the store holds depends
// on what is in it now and not on what came and went. layout.go has the bytes.
package swarm
