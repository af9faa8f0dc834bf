package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"time"

	"spate/internal/httpwire"
	"spate/internal/tracker"
)

// A tracedWorker logs every request at the trace level. Below that it costs one
// load and one comparison a request.
type tracedWorker struct {
	*tracker.Worker
	log       *Log
	addresses bool // also who asked
}

// Handle answers a request and may log it.
func (w *tracedWorker) Handle(now time.Duration, client netip.Addr, path, query, dst []byte) (body []byte, known bool) {
	body, known = w.Worker.Handle(now, client, path, query, dst)
	if w.log.level.Level() <= levelTrace {
		w.trace(client, path, query, body[len(dst):])
	}
	return body, known
}

func (w *tracedWorker) trace(client netip.Addr, path, query, reply []byte) {
	attrs := []slog.Attr{slog.String("path", printable(path))}
	if w.addresses {
		attrs = append(attrs, slog.String("query", printable(query)), slog.String("reply", printable(reply)), slog.String("client", client.String()))
	} else {
		// A reply names the client and its peers.
		attrs = append(attrs, slog.String("query", printable(withoutAddresses(query))), slog.Int("reply_bytes", len(reply)))
		if reason, failed := httpwire.FailureReason(reply); failed {
			attrs = append(attrs, slog.String("failure", printable(reason)))
		}
	}
	w.log.LogAttrs(context.Background(), levelTrace, "request", attrs...)
}

// withoutAddresses returns a query without the values in which clients give
// addresses of their own.
func withoutAddresses(query []byte) []byte {
	parameters := bytes.Split(query, []byte{'&'})
	for i, p := range parameters {
		name, _, found := bytes.Cut(p, []byte{'='})
		switch string(name) {
		case "ip", "ipv4", "ipv6", "localip":
			if found {
				parameters[i] = name
			}
		}
	}
	return bytes.Join(parameters, []byte{'&'})
}

// printable returns bytes from the wire as text: those that are not printable
// ASCII as %XX, the way in which a client could have sent them too. A log in JSON
// would lose some of them, and hand others on to a terminal.
func printable(raw []byte) string {
	const hex = "0123456789ABCDEF"
	text := make([]byte, 0, len(raw))
	for _, c := range raw {
		if c < ' ' || c > '~' {
			text = append(text, '%', hex[c>>4], hex[c&15])
			continue
		}
		text = append(text, c)
	}
	return string(text)
}
