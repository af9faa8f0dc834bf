// Package httpwire is the HTTP tracker protocol as pure functions. They turn the
// query of an announce or a scrape into a request, a reply into bencode and, for
// the load tester, bencode back into a reply.
//
// Nothing here allocates but for growing the buffers it is handed, nothing
// keeps a slice it was handed, and no input makes it panic.
//
// Sources: BEP 3 (the protocol and bencode), BEP 7 (peers6, ipv4, ipv6), BEP 21
// (paused, downloaders), BEP 23 (compact), BEP 24 (external ip), BEP 31 (retry
// in), BEP 48 (scrape), BEP 52 (truncated v2 hashes).
package httpwire
