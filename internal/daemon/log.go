package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

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

// levelNames are the levels of a configuration.
var levelNames = []config.LogLevel{
	config.LevelOff, config.LevelError, config.LevelWarn, config.LevelInfo, config.LevelDebug, config.LevelTrace,
}

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

// NewLog returns a log that writes to w as cfg says. Where w is a file whose
// reader hangs, it drops lines rather than wait.
func NewLog(cfg *config.Config, w io.Writer) *Log {
	l := &Log{configured: slogLevel(cfg.LogLevel)}
	l.level.Set(l.configured)
	options := &slog.HandlerOptions{Level: &l.level, ReplaceAttr: nameLevels}
	form := func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
	if cfg.Log.Format == config.LogJSON {
		form = func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
	}
	if f, isFile := w.(*os.File); isFile {
		w = newLossyWriter(f, form)
	}
	l.Logger = slog.New(form(w))
	return l
}

// ToggleDebug switches between the configured level and debug, and says so.
func (l *Log) ToggleDebug() {
	next := slog.LevelDebug
	if l.level.Level() == next {
		next = l.configured
	}
	l.level.Set(next)
	notice(l.Logger, "the log level changed", "log_level", l.LevelName())
}

// LevelName returns the level that is logged now, as the configuration spells
// it.
func (l *Log) LevelName() string {
	for _, name := range levelNames {
		if slogLevel(name) == l.level.Level() {
			return string(name)
		}
	}
	return l.level.Level().String()
}

// SetLevelName changes the level that is logged.
func (l *Log) SetLevelName(name string) error {
	if !slices.Contains(levelNames, config.LogLevel(name)) {
		return fmt.Errorf("there is no log level %q: give one of %v", name, levelNames)
	}
	l.level.Set(slogLevel(config.LogLevel(name)))
	notice(l.Logger, "the log level changed", "log_level", name)
	return nil
}

// nameLevels gives our own levels names that log readers know.
func nameLevels(groups []string, a slog.Attr) slog.Attr {
	// A record may have an attribute of this name as well, of any type.
	level, isLevel := a.Value.Any().(slog.Level)
	if a.Key != slog.LevelKey || len(groups) > 0 || !isLevel {
		return a
	}
	switch level {
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
