package daemon

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"spate/internal/swarm"
)

// openSnapshot opens the snapshot that Run loads, where there is one.
func (d *Daemon) openSnapshot() error {
	k := d.keeper
	if k == nil {
		return nil
	}
	f, err := k.dir.Open(k.name)
	if errors.Is(err, fs.ErrNotExist) {
		k.log.Info("there is no snapshot yet", "path", k.path)
		return nil
	}
	if err != nil {
		return d.cfg.Problem("snapshot.path", "cannot be read: %v", err)
	}
	k.source = f
	return nil
}

// restore loads the snapshot. One that is damaged, or that a newer version wrote, is put
// aside, and what was sound in it is served. It reports whether the store has what it is
// to have: not where ctx was done before. Then nothing has happened to the file.
func (d *Daemon) restore(ctx context.Context) (whole bool, err error) {
	k := d.keeper
	if k == nil || k.source == nil {
		return true, nil
	}
	defer func() {
		_ = k.source.Close() // it was only read
		k.source = nil
	}()
	// A reload tells the service manager that the tracker is ready, and it is not.
	d.reloading.Lock()
	defer d.reloading.Unlock()
	start := time.Now()
	err = k.load(ctx, k.source)
	stats := k.store.Stats()
	log := k.log.With("path", k.path, "torrents", stats.Torrents, "peers", stats.Peers4+stats.Peers6)
	if stats.LeftOutPeers > 0 && ctx.Err() == nil {
		k.log.Warn("max_memory and max_torrents have no room for all of the snapshot, and the next one is written without the rest: copy the file now to keep that",
			"path", k.path, "torrents_left_out", stats.LeftOutTorrents, "peers_left_out", stats.LeftOutPeers)
	}
	switch {
	case err == nil:
		log.Info("the snapshot is loaded", "took", time.Since(start).Round(time.Millisecond).String())
		return true, nil
	case ctx.Err() != nil:
		// Whatever else is wrong with it, the next start finds again.
		log.Info("stopped while the snapshot was loaded, which stays as it is")
		return false, nil
	case errors.Is(err, swarm.ErrSnapshotNewer):
		if err := k.dir.Rename(k.name, k.name+newer); err != nil {
			return false, d.cfg.Problem("snapshot.path", "has a snapshot of a newer version, which cannot be put aside: %v", err)
		}
		log.Error("the snapshot was written by a newer version: it is put aside, and the swarms begin anew; to use it, stop this version, move it back and start the newer one",
			"error", err, "aside", k.path+newer)
		return true, nil
	case errors.Is(err, swarm.ErrSnapshot):
		if err := k.dir.Rename(k.name, k.name+damaged); err != nil {
			return false, d.cfg.Problem("snapshot.path", "is damaged, and cannot be put aside: %v", err)
		}
		log.Error("the snapshot is damaged: what was sound in it is loaded, and the file put aside", "error", err, "aside", k.path+damaged)
		return true, nil
	}
	return false, d.cfg.Problem("snapshot.path", "cannot be read: %v", err)
}

// load takes a snapshot into the store, until ctx is done.
func (k *keeper) load(ctx context.Context, r io.Reader) error {
	return k.store.Load(bufio.NewReaderSize(&untilDone{ctx, r}, 1<<20), k.clock())
}

// untilDone reads from r until ctx is done.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

// Read returns what ctx ended with, once it is done.
func (u *untilDone) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}
