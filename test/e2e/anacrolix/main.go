// Command anacrolix is a BitTorrent client made of github.com/anacrolix/torrent,
// for the end-to-end tests: it fetches or seeds one torrent until it is told to
// stop, finds peers only through the torrent's tracker, and leaves the swarm
// when it gets SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
)

// goodbye is how long the last announce may take.
const goodbye = 10 * time.Second

func main() {
	file := flag.String("torrent", "", "the torrent's metainfo `file`")
	dir := flag.String("dir", "", "the `directory` of the torrent's content")
	port := flag.Int("port", 6881, "the `port` to listen on")
	flag.Parse()
	if err := run(*file, *dir, *port); err != nil {
		fmt.Fprintln(os.Stderr, "anacrolix:", err)
		os.Exit(1)
	}
}

func run(file, dir string, port int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	mi, err := metainfo.LoadFromFile(file)
	if err != nil {
		return err
	}
	left := make(chan struct{}, 1)
	client, err := torrent.NewClient(config(dir, port, left))
	if err != nil {
		return err
	}
	defer client.Close()

	// What lies in the directory is checked before the tracker hears of us, so
	// that a seeder's first announce already says that it has everything.
	trackers := mi.UpvertedAnnounceList()
	mi.Announce, mi.AnnounceList = "", nil
	t, err := client.AddTorrent(mi)
	if err != nil {
		return err
	}
	if err := t.VerifyDataContext(ctx); err != nil {
		return err
	}
	t.AddTrackers(trackers)
	t.DownloadAll()
	<-ctx.Done()

	// The library announces stopped in the background and waits for nothing, so
	// the program has to live until that announce's connection is closed.
	t.Drop()
	select {
	case <-left:
		return nil
	case <-time.After(goodbye):
		return errors.New("the tracker was not told that we stop")
	}
}

// config returns a configuration without any other way to find peers than the
// tracker. left is told when the announce of event=stopped is over.
func config(dir string, port int, left chan<- struct{}) *torrent.ClientConfig {
	cfg := torrent.NewDefaultClientConfig()
	cfg.DefaultStorage = storage.NewFileOpts(storage.NewFileClientOpts{
		ClientBaseDir:   dir,
		PieceCompletion: storage.NewMapPieceCompletion(),
	})
	cfg.ListenPort = port
	cfg.Seed = true
	cfg.NoDHT = true
	cfg.DisablePEX = true
	cfg.DisableUTP = true
	cfg.NoDefaultPortForwarding = true
	var leaving atomic.Bool
	cfg.HttpRequestDirector = func(r *http.Request) error {
		if r.URL.Query().Get("event") == "stopped" {
			leaving.Store(true)
		}
		return nil
	}
	cfg.TrackerDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil || !leaving.Load() {
			return conn, err
		}
		return &lastConn{Conn: conn, closed: left}, nil
	}
	return cfg
}

// A lastConn tells when the library is done with its last connection to the
// tracker; it makes a new one for each announce.
type lastConn struct {
	net.Conn
	closed chan<- struct{}
}

// Close closes the connection and reports it.
func (c *lastConn) Close() error {
	err := c.Conn.Close()
	select {
	case c.closed <- struct{}{}:
	default:
	}
	return err
}
