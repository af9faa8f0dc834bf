package httpwire

import "testing"

func TestParsePath(t *testing.T) {
	for path, want := range map[string]Route{
		"/announce": RouteAnnounce, "//announce": RouteAnnounce, "/announce/": RouteAnnounce,
		"//announce/": RouteAnnounce, "/announce.php": RouteAnnounce, "//announce.php": RouteAnnounce,
		"/scrape": RouteScrape, "//scrape": RouteScrape, "/scrape/": RouteScrape,
		"/scrape.php": RouteScrape, "/scrape.php/": RouteScrape,
		"": RouteUnknown, "/": RouteUnknown, "//": RouteUnknown, "///////": RouteUnknown,
		"announce": RouteUnknown, "/Announce": RouteUnknown, "/announce//": RouteUnknown,
		"///announce": RouteUnknown, "/announcer": RouteUnknown, "/announce.ph": RouteUnknown,
		"/x/announce": RouteUnknown, "/%61nnounce": RouteUnknown, "/favicon.ico": RouteUnknown,
		"/scrap": RouteUnknown, "/scrape.": RouteUnknown,
	} {
		if got := ParsePath([]byte(path)); got != want {
			t.Errorf("ParsePath(%q) = %d, want %d", path, got, want)
		}
	}
}
