package daemon

import (
	"context"
	"io"
	"log/slog"

	"spate/internal/config"
)

// Levels beside those of slog.
const (
	// levelTrace is below debug.
	levelTrace = slog.LevelDebug - 4
	// levelNotice is what an operator wants to read at every level but off: where
	// the tracker listens. It is written as INFO.
	levelNotice = slog.LevelError + 4
	// levelOff is above everything.
	levelOff = slog.Level(1 << 10)
)

// slogLevel returns the least level that is logged.
func slogLevel(l config.LogLevel) slog.Level {
	return map[config.LogLevel]slog.Level{
		config.LevelOff:   levelOff,
		config.LevelError: slog.LevelError,
		config.LevelWarn:  slog.LevelWarn,
		config.LevelInfo:  slog.LevelInfo,
		config.LevelDebug: slog.LevelDebug,
		config.LevelTrace: levelTrace,
	}[l]
}

// A Log is the tracker's log, whose level can change while it is used.
type Log struct {
	*slog.Logger
	level      slog.LevelVar
	configured slog.Level
}

// NewLog returns a log that writes to w as cfg says.
func NewLog(cfg *config.Config, w io.Writer) *Log {
	l := &Log{configured: slogLevel(cfg.LogLevel)}
	l.level.Set(l.configured)
	options := &slog.HandlerOptions{Level: &l.level, ReplaceAttr: nameLevels}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if cfg.Log.Format == config.LogJSON {
		h = slog.NewJSONHandler(w, options)
	}
	l.Logger = slog.New(h)
	return l
}

// ToggleDebug switches between the configured level and debug, and says so.
func (l *Log) ToggleDebug() {
	next := slog.LevelDebug
	if l.level.Level() == next {
		next = l.configured
	}
	l.level.Set(next)
	notice(l.Logger, "the log level changed", "log_level", next.String())
}

// nameLevels gives our own levels names that log readers know.
func nameLevels(groups []string, a slog.Attr) slog.Attr {
	if a.Key != slog.LevelKey || len(groups) > 0 {
		return a
	}
	switch a.Value.Any().(slog.Level) {
	case levelNotice:
		a.Value = slog.StringValue("INFO")
	case levelTrace:
		a.Value = slog.StringValue("TRACE")
	}
	return a
}

// notice logs what is written at every level but off.
func notice(log *slog.Logger, msg string, args ...any) {
	log.Log(context.Background(), levelNotice, msg, args...)
}
