package daemon

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

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
	// Strings are copies: the log may keep them, the buffers are used again.
	attrs := []slog.Attr{slog.String("path", string(path)), slog.String("query", string(query)), slog.String("reply", string(reply))}
	if w.addresses {
		attrs = append(attrs, slog.String("client", client.String()))
	}
	w.log.LogAttrs(context.Background(), levelTrace, "request", attrs...)
}
