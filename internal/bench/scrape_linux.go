package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// scrape asks for url, as Prometheus does, every so often until the function that
// it returns is called. That returns how many answers came, or what went wrong.
func scrape(ctx context.Context, url string, every time.Duration) (stop func() (int, error)) {
	if url == "" {
		return func() (int, error) { return 0, nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	n, failed := 0, make(chan error, 1)
	go func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for {
			if err := get(ctx, url); err != nil {
				if ctx.Err() != nil {
					err = nil // it was told to stop
				}
				failed <- err
				return
			}
			n++
			select {
			case <-ctx.Done():
				failed <- nil
				return
			case <-ticks.C:
			}
		}
	}()
	return func() (int, error) {
		cancel()
		err := <-failed
		return n, err
	}
}

// get reads an answer with status 200 to its end.
func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, reply.Status)
	}
	return nil
}
