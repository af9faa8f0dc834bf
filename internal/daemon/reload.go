package daemon

import (
	"context"
	"errors"
	"time"

	"spate/internal/access"
	"spate/internal/config"
	"spate/internal/files"
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
	d.warnOfEmptyList()
	return nil
}

// warnOfEmptyList says what an empty list to allow does: it may be what a script left
// that failed halfway.
func (d *Daemon) warnOfEmptyList() {
	if d.access.Mode() == access.ModeAllow && d.access.Len() == 0 {
		d.log.Warn("the access list is empty: every torrent is refused", "path", d.cfg.AccessList.Path)
	}
}

// Reload reads the access list, the certificates and, where the configuration
// file is within reach, its limits again. What cannot be loaded stays as it is;
// the error says what and why, and so does the log.
func (d *Daemon) Reload() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.systemd.reloading()
	defer d.systemd.notify("READY=1")
	return errors.Join(d.reloadLimits(), d.reloadAccess(), d.reloadCertificates())
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
	d.warnOfEmptyList()
	return nil
}

func (d *Daemon) reloadCertificates() error {
	if !needsTLS(&d.cfg) {
		return nil
	}
	// What it loads, the server logs.
	if err := d.server.Reload(); err != nil {
		d.log.Error("the certificates were not reloaded", "error", err)
		return err
	}
	return nil
}

// watchEvery is how often the access list's file is looked at.
const watchEvery = 2 * time.Second

// watched returns the access list's file as it is now, or nil where its changes are
// not to be followed. The server watches its certificates itself.
func (d *Daemon) watched() *files.Watch {
	if !d.cfg.AccessList.Watch || d.cfg.AccessList.Mode == config.AccessOff {
		return nil
	}
	return files.NewWatch(d.cfg.AccessList.Path)
}

// watch reloads when the file has changed, until ctx is done.
func (d *Daemon) watch(ctx context.Context, file *files.Watch) {
	every(ctx, watchEvery, func() {
		if file.Changed() {
			file.Note()
			_ = d.Reload() // the log has its error
		}
	})
}

// reloadLimits takes the numbers of [limits] from the configuration file that
// can change while the tracker runs, and says which other keys have changed.
func (d *Daemon) reloadLimits() error {
	file := d.cfg.File()
	if file == "" || d.become != nil {
		return nil // there is none, or it is out of reach
	}
	next, err := config.LoadAgain(file)
	if err != nil {
		d.log.Error("the configuration file was not reloaded", "error", err)
		return err
	}
	var limits, others []string
	for _, path := range config.Diff(&d.loaded, &next) {
		if isLimit(path) {
			limits = append(limits, path)
		} else {
			others = append(others, path)
		}
	}
	if len(others) > 0 {
		d.log.Warn("changes of the configuration file that only a restart applies", "keys", others)
	}
	if len(limits) == 0 {
		return nil
	}
	l := next.Limits
	if l.MaxConnections == 0 {
		l.MaxConnections = d.descriptors
	}
	if err := d.server.SetLimits(serverLimits(&l)); err != nil {
		d.log.Error("the limits were not changed", "error", err)
		return err
	}
	for _, path := range limits {
		d.log.Info("a limit was changed", "key", path)
	}
	d.maxConnections.Store(int64(l.MaxConnections))
	// Timeouts stay what they were at the start.
	l.MaxConnections = next.Limits.MaxConnections
	was := &d.loaded.Limits
	l.HeadTimeout, l.WriteTimeout, l.ShutdownTimeout, l.MaxRequestsPerConnection = was.HeadTimeout, was.WriteTimeout, was.ShutdownTimeout, was.MaxRequestsPerConnection
	d.loaded.Limits = l
	return nil
}

// isLimit reports whether a key can change while the tracker runs.
func isLimit(path string) bool {
	switch path {
	case "limits.max_connections", "limits.max_connections_per_ip", "limits.connections_per_second_per_ip",
		"limits.connection_burst_per_ip", "limits.requests_per_second_per_ip", "limits.request_burst_per_ip",
		"limits.exempt_sources":
		return true
	}
	return false
}
