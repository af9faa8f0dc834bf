package metrics

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkScrape is one scrape, encoding included.
func BenchmarkScrape(b *testing.B) {
	m, err := New(Config{}, sample)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	h := m.Handler()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil))
	}
}
