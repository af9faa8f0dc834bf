package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// repeatEvery is how often the same problem is logged at most.
const repeatEvery = time.Minute

// A limitedLog is a slog.Handler for what may happen many times a second: of the
// records with the same level and message it passes the first one on, and once
// a minute the last of those that came since, with their number as "repeated".
// Records below a warning pass unchanged.
type limitedLog struct {
	slog.Handler
	held *heldRecords
}

// heldRecords is what the handlers that came from one limitedLog share.
type heldRecords struct {
	mu     sync.Mutex // guards the rest
	byText map[recordKind]*heldRecord
}

type recordKind struct {
	level slog.Level
	text  string
}

// A heldRecord is the last of the records that were not passed on.
type heldRecord struct {
	handler slog.Handler
	record  slog.Record
	count   int // how many came since the last one that was passed on
}

func newLimitedLog(h slog.Handler) *limitedLog {
	return &limitedLog{h, &heldRecords{byText: map[recordKind]*heldRecord{}}}
}

func (l *limitedLog) logger() *slog.Logger { return slog.New(l) }

// Handle passes a record on, or holds it back.
func (l *limitedLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return l.Handler.Handle(ctx, r)
	}
	if l.held.hold(l.Handler, r) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// hold keeps a record back if one of its kind was passed on lately.
func (h *heldRecords) hold(handler slog.Handler, r slog.Record) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	kind := recordKind{r.Level, r.Message}
	known := h.byText[kind]
	if known == nil {
		h.byText[kind] = &heldRecord{}
		return false
	}
	known.handler, known.record = handler, r.Clone()
	known.count++
	return true
}

// WithAttrs returns a handler that shares what it holds back with l.
func (l *limitedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limitedLog{l.Handler.WithAttrs(attrs), l.held}
}

// WithGroup returns a handler that shares what it holds back with l.
func (l *limitedLog) WithGroup(name string) slog.Handler {
	return &limitedLog{l.Handler.WithGroup(name), l.held}
}

// run passes on what was held back, once a minute and at the end.
func (l *limitedLog) run(ctx context.Context) {
	every(ctx, repeatEvery, l.held.flush)
	l.held.flush()
}

// flush passes the held records on, and forgets the kinds of which none came.
func (h *heldRecords) flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for kind, held := range h.byText {
		if held.count == 0 {
			delete(h.byText, kind)
			continue
		}
		held.record.AddAttrs(slog.Int("repeated", held.count))
		// Where a log cannot be written, there is nowhere to say so.
		_ = held.handler.Handle(context.Background(), held.record)
		held.count = 0
	}
}
