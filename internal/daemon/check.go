package daemon

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"

	"spate/internal/config"
)

// Check does everything that New does, opening the sockets included, and
// releases it again. It returns what New would have logged as advice, one line
// each. An address in use is only advice here: the tracker that the
// configuration is for may be running.
func Check(cfg config.Config, build Build) (advice []string, err error) {
	var notes adviceHandler
	d, err := New(cfg, build, &Log{Logger: slog.New(&notes)})
	if err == nil {
		d.Close()
		return notes.lines, nil
	}
	var errs []error
	for _, e := range flatten(err) {
		if errors.Is(e, syscall.EADDRINUSE) {
			notes.lines = append(notes.lines, "note: "+e.Error())
			continue
		}
		errs = append(errs, e)
	}
	return notes.lines, errors.Join(errs...)
}

// flatten returns the errors that were joined, however deep.
func flatten(err error) []error {
	joined, isJoined := err.(interface{ Unwrap() []error })
	if !isJoined {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// adviceHandler keeps what is logged as readable lines.
type adviceHandler struct{ lines []string }

// Enabled keeps everything from information up.
func (*adviceHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle keeps one record.
func (h *adviceHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(strings.ToLower(r.Level.String()) + ": " + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(", " + a.String())
		return true
	})
	h.lines = append(h.lines, b.String())
	return nil
}

// WithAttrs returns h: what New logs carries its attributes itself.
func (h *adviceHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup returns h.
func (h *adviceHandler) WithGroup(string) slog.Handler { return h }
