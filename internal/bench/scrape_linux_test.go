package bench

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestScrape(t *testing.T) {
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
		}
		asked <- struct{}{}
	}))
	defer server.Close()
	stop := scrape(t.Context(), server.URL+"/metrics", time.Millisecond)
	<-asked
	if _, err := stop(); err != nil {
		t.Error(err)
	}
	stop = scrape(t.Context(), server.URL+"/nothing", time.Millisecond)
	<-asked
	if n, err := stop(); n != 0 && err == nil || err != nil && !strings.Contains(err.Error(), "404") {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := scrape(t.Context(), "", time.Second)(); n != 0 || err != nil {
		t.Errorf("without a URL: %d, %v", n, err)
	}
}
