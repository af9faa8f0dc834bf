package daemon

import (
	"errors"
	"time"

	"spate/internal/access"
)

// loadAccess reads the access list for the first time.
func (d *Daemon) loadAccess() error {
	d.access = access.New(accessMode(&d.cfg))
	if d.access.Mode() == access.ModeOff {
		return nil
	}
	change, err := d.access.LoadFile(d.cfg.AccessList.Path)
	d.noteLoad(err)
	if err != nil {
		return d.cfg.Problem("access_list.path", "%v", err)
	}
	d.log.Info("the access list is loaded", "mode", d.access.Mode().String(), "path", d.cfg.AccessList.Path, "hashes", change.Total)
	return nil
}

// Reload reads the access list and the certificates again. What cannot be
// loaded stays as it is; the error says what and why, and so does the log.
func (d *Daemon) Reload() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.systemd.reloading()
	defer d.systemd.notify("READY=1")
	return errors.Join(d.reloadAccess(), d.reloadCertificates())
}

func (d *Daemon) reloadAccess() error {
	if d.access.Mode() == access.ModeOff {
		return nil
	}
	start := time.Now()
	change, err := d.access.LoadFile(d.cfg.AccessList.Path)
	d.noteLoad(err)
	if err != nil {
		d.log.Error("the access list was not reloaded, the old one stays", "error", err, "hashes", d.access.Len())
		return err
	}
	d.log.Info("the access list was reloaded", "added", change.Added, "removed", change.Removed, "hashes", change.Total,
		"took", time.Since(start).Round(time.Millisecond).String())
	return nil
}

func (d *Daemon) reloadCertificates() error {
	if !needsTLS(&d.cfg) {
		return nil
	}
	if err := d.server.Reload(); err != nil {
		d.log.Error("the certificates were not reloaded", "error", err)
		return err
	}
	for _, c := range d.server.Certificates() {
		d.log.Info("the certificates were reloaded", "file", c.Chain, "names", c.Names, "not_after", c.NotAfter)
	}
	return nil
}

// watched returns the paths of the files that are loaded again when they change.
func (d *Daemon) watched() (paths []string) {
	d.eachReloaded(func(key string, path *string) {
		if d.cfg.AccessList.Watch && key == "access_list.path" || d.cfg.TLS.Watch && key != "access_list.path" {
			paths = append(paths, *path)
		}
	})
	return paths
}
