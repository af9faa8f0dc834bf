// Package load generates BitTorrent tracker traffic over HTTP and tells the
// truth about what comes back: latency without coordinated omission, errors by
// kind, and whether every reply was possible. It knows the wire, never Spate's
// own store, policy or transport, so that it can test any tracker.
package load
