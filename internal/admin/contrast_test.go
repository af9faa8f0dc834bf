package admin

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Text has to stand out from what is behind it by 4.5 to 1 (WCAG 2.2, 1.4.3), in
// the light and in the dark.
func TestPageContrast(t *testing.T) {
	css, err := pageFiles.ReadFile("page/dashboard.css")
	if err != nil {
		t.Fatal(err)
	}
	themes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllSubmatch(css, -1)
	if len(themes) != 2 {
		t.Fatalf("%d themes, want 2", len(themes))
	}
	for i, theme := range themes {
		name := []string{"light", "dark"}[i]
		colors := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z]+): (#[0-9a-f]{6});`).FindAllSubmatch(theme[1], -1) {
			colors[string(m[1])] = string(m[2])
		}
		for _, text := range []string{"text", "quiet", "accent", "good", "warn", "bad"} {
			for _, behind := range []string{"page", "card"} {
				if got := contrast(t, colors[text], colors[behind]); got < 4.5 {
					t.Errorf("%s: --%s on --%s has a contrast of %.2f", name, text, behind, got)
				}
			}
		}
	}
}

// contrast is that of WCAG 2.2 between two colors such as #14212b.
func contrast(t *testing.T, one, two string) float64 {
	t.Helper()
	a, b := luminance(t, one), luminance(t, two)
	return (max(a, b) + .05) / (min(a, b) + .05)
}

func luminance(t *testing.T, color string) (sum float64) {
	t.Helper()
	rgb, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 24)
	if err != nil {
		t.Fatal(err)
	}
	for i, weight := range []float64{.0722, .7152, .2126} {
		v := float64(rgb>>(8*i)&0xff) / 255
		if v <= .04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
