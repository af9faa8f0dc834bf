// Package loop is the machinery of an event loop over many sockets: readiness
// (epoll), raw system calls, a timer wheel, slabs and buffers without a Go
// pointer for each connection. It knows sockets and deadlines, and neither
// HTTP nor BitTorrent.
//
// A loop is one goroutine. Nothing here is safe for concurrent use unless its
// comment says so.
package loop
