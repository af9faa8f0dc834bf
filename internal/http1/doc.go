// Package http1 holds HTTP/1.x as a tracker meets it: one request head parsed
// into slices of the receive buffer, the heads of the few replies that a
// tracker gives, those of any tracker read by the load tester, and everything
// that says whose request it is behind proxies: X-Forwarded-For, Forwarded
// (RFC 7239), X-Real-IP and the PROXY protocol, versions 1 and 2.
//
// Everything here is a pure function over bytes: no I/O, no clock, no
// allocation, and nothing of BitTorrent. Sources: RFC 9110, RFC 9112, RFC 7239
// and HAProxy's proxy-protocol.txt.
package http1
