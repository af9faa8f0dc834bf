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
	"os"
	"os/signal"
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
	announced := make(chan struct{}, 64)
	cfg.TrackerDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &trackerConn{Conn: conn, closed: announced}, nil
	}
	client, err := torrent.NewClient(cfg)
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
	// the program has to live until the tracker's connection is closed.
	for len(announced) > 0 {
		<-announced
	}
	t.Drop()
	select {
	case <-announced:
		return nil
	case <-time.After(goodbye):
		return errors.New("the tracker was not told that we stop")
	}
}

// A trackerConn tells when the library is done with a connection to the tracker;
// it uses a new one for each announce.
type trackerConn struct {
	net.Conn
	closed chan<- struct{}
}

// Close closes the connection and reports it.
func (c *trackerConn) Close() error {
	err := c.Conn.Close()
	select {
	case c.closed <- struct{}{}:
	default:
	}
	return err
}
