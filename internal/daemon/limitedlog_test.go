package daemon

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRepeatedProblemsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		base := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		limited := newLimitedLog(base)
		log := limited.logger()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { limited.run(ctx); close(ended) }()

		for i := range 5 {
			log.With("listener", "a").Error("accept failed", "n", i)
		}
		log.Warn("accept failed") // another level is another problem
		log.Info("hello")
		log.Info("hello")
		time.Sleep(repeatEvery + time.Second)
		time.Sleep(repeatEvery + time.Second) // quiet for a minute: it is news again
		log.Error("accept failed", "n", 9)
		log.Error("accept failed", "n", 10)
		cancel()
		<-ended

		want := strings.Join([]string{
			`level=ERROR msg="accept failed" listener=a n=0`,
			`level=WARN msg="accept failed"`,
			`level=INFO msg=hello`,
			`level=INFO msg=hello`,
			`level=ERROR msg="accept failed" listener=a n=4 repeated=4`,
			`level=ERROR msg="accept failed" n=9`,
			`level=ERROR msg="accept failed" n=10 repeated=1`,
			"",
		}, "\n")
		if b.String() != want {
			t.Errorf("got\n%swant\n%s", b.String(), want)
		}
	})
}
