package httpwire

// Route says what a request's path asks for.
type Route uint8

// The routes.
const (
	RouteUnknown  Route = iota // none of the tracker's paths
	RouteAnnounce              // /announce
	RouteScrape                // /scrape
)

// ParsePath says what path asks for. The path is what precedes the `?` of the
// request target and is compared as it comes, not unescaped. Accepted besides
// the plain paths are a doubled leading slash (trackers configured as
// `http://host/` plus `/announce`), a trailing slash and `.php`, since clients
// derive the scrape path from the announce URL by replacing the word.
func ParsePath(path []byte) Route {
	if len(path) < len("/scrape") || path[0] != '/' {
		return RouteUnknown
	}
	path = path[1:]
	if path[0] == '/' {
		path = path[1:]
	}
	if path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	switch string(path) {
	case "announce", "announce.php":
		return RouteAnnounce
	case "scrape", "scrape.php":
		return RouteScrape
	}
	return RouteUnknown
}
