package daemon

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"spate/internal/config"
)

// TestLogForms writes one line at each level, with an attribute that is called
// level too, in both forms.
func TestLogForms(t *testing.T) {
	for _, format := range []config.LogFormat{config.LogText, config.LogJSON} {
		var b strings.Builder
		cfg := config.Default()
		cfg.LogLevel, cfg.Log.Format = config.LevelTrace, format
		log := NewLog(&cfg, &b)
		log.Warn("a problem", "level", "debug")
		notice(log.Logger, "news")
		log.Log(t.Context(), levelTrace, "a request")
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if len(lines) != 3 {
			t.Fatalf("%s: %d lines:\n%s", format, len(lines), b.String())
		}
		for i, want := range []string{"WARN", "INFO", "TRACE"} {
			form := "level=" + want + " msg="
			if format == config.LogJSON {
				form = fmt.Sprintf(`"level":%q,"msg":`, want)
				if !json.Valid([]byte(lines[i])) {
					t.Errorf("no JSON: %s", lines[i])
				}
			}
			if !strings.Contains(lines[i], form) {
				t.Errorf("%s: got %s, want %s", format, lines[i], form)
			}
		}
	}
}

// TestLevelChanges: by name and by toggling, what is written follows, and each
// change is itself written at every level but off.
func TestLevelChanges(t *testing.T) {
	var b strings.Builder
	cfg := config.Default()
	cfg.LogLevel = config.LevelError
	log := NewLog(&cfg, &b)
	writes := func(want bool) {
		t.Helper()
		b.Reset()
		log.Debug("detail")
		if got := b.Len() > 0; got != want {
			t.Errorf("at %s a debug line is written: %v, want %v", log.LevelName(), got, want)
		}
	}
	changed := func(want string) {
		t.Helper()
		if got := b.String(); !strings.Contains(got, "log_level="+want) {
			t.Errorf("the change to %s is not written: %q", want, got)
		}
	}
	writes(false)
	log.ToggleDebug()
	changed("debug")
	writes(true)
	log.ToggleDebug()
	changed("error")
	writes(false)
	for _, level := range []string{"trace", "warn"} {
		if err := log.SetLevelName(level); err != nil || log.LevelName() != level {
			t.Errorf("SetLevelName(%q): %v, and the level is %s", level, err, log.LevelName())
		}
		changed(level)
		writes(level == "trace")
	}
	if err := log.SetLevelName("loud"); err == nil || !strings.Contains(err.Error(), "off error warn info debug trace") {
		t.Errorf("SetLevelName(loud): %v", err)
	}
}
