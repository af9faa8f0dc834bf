package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"spate/internal/config"
	"spate/internal/server"
)

// Check does everything that New does, opening the sockets included, but loads no
// snapshot, and releases it again. It returns what New would have logged as advice,
// one line each. An address or a snapshot in use is only advice here, since the tracker
// that the configuration is for may be running, and so is a socket that nobody has
// passed.
func Check(cfg config.Config, build Build) (advice []string, err error) {
	var notes adviceHandler
	d := newDaemon(cfg, build, &Log{Logger: slog.New(&notes)})
	d.checking = true
	err = d.setup()
	if d.server != nil {
		for _, c := range d.server.Certificates() {
			notes.lines = append(notes.lines, certificateAdvice(&c, time.Now())...)
		}
	}
	d.Close()
	if err == nil {
		return notes.lines, nil
	}
	var errs []error
	for _, e := range flatten(err) {
		if errors.Is(e, syscall.EADDRINUSE) || errors.Is(e, errKept) {
			notes.lines = append(notes.lines, "note: "+e.Error()+" (as it should be, if that is this tracker)")
			continue
		}
		errs = append(errs, e)
	}
	return notes.lines, errors.Join(errs...)
}

// renewWithin is how long before its end a certificate is advised on.
const renewWithin = 14 * 24 * time.Hour

// certificateAdvice says what is wrong with a certificate's time.
func certificateAdvice(c *server.Certificate, now time.Time) []string {
	left := c.NotAfter.Sub(now)
	if left >= renewWithin {
		return nil
	}
	text := fmt.Sprintf("warn: the certificate for %s in %s ends in less than %d days", strings.Join(c.Names, ", "), c.Chain, int(left/(24*time.Hour))+1)
	if left <= 0 {
		text = fmt.Sprintf("warn: the certificate for %s in %s has ended: clients refuse it", strings.Join(c.Names, ", "), c.Chain)
	}
	return []string{text}
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
