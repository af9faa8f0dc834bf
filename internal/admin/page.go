package admin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// newPage puts the dashboard together: one page without anything from outside.
// Its policy allows just the style and the script that it was built with, by
// their hashes, and requests to this listener.
func newPage() (http.Handler, error) {
	read := func(name string) ([]byte, error) { return pageFiles.ReadFile("page/" + name) }
	page, err := read("dashboard.html")
	if err != nil {
		return nil, err
	}
	hashes := make(map[string]string)
	for _, name := range []string{"dashboard.css", "numbers.js", "dashboard.js"} {
		part, err := read(name)
		if err != nil {
			return nil, err
		}
		mark := []byte("{{" + name + "}}")
		if bytes.Count(page, mark) != 1 {
			return nil, fmt.Errorf("dashboard.html: wants %s once", mark)
		}
		sum := sha256.Sum256(part)
		hashes[name] = "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		page = bytes.Replace(page, mark, part, 1)
	}
	policy := strings.Join([]string{
		"default-src 'none'",
		"style-src " + hashes["dashboard.css"],
		"script-src " + hashes["numbers.js"] + " " + hashes["dashboard.js"],
		"connect-src 'self'",
		"img-src data:",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		_, _ = w.Write(page) // a client that has gone is no problem of ours
	}), nil
}
