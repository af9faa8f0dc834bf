package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"spate/internal/config"
	"spate/internal/tomlfile"
)

// identity is whom the process becomes, and where.
type identity struct {
	uid, gid int
	root     string // absolute
}

// preparePrivileges looks up whom the process is to become, checks that it can,
// and makes every path of the configuration that is read again later one that
// holds before and after: relative to the new root, which becomes the working
// directory. It does nothing when no privileges are dropped.
func (d *Daemon) preparePrivileges() error {
	p := &d.cfg.Privileges
	if !p.DropPrivileges {
		return nil
	}
	var problems tomlfile.Problems
	bad := func(key, format string, args ...any) {
		problems = append(problems, d.cfg.Problem(key, format, args...))
	}
	if err := canDrop(); err != nil {
		bad("privileges.drop_privileges", "%v", err)
	}
	id := &identity{}
	var err error
	if id.uid, err = userID(p.User); err != nil {
		bad("privileges.user", "%v", err)
	} else if id.uid == 0 {
		bad("privileges.user", "keeps every privilege: needs a user other than root")
	}
	if id.gid, err = groupID(p.Group); err != nil {
		bad("privileges.group", "%v", err)
	} else if id.gid == 0 {
		d.log.Warn("[privileges] group = " + strconv.Quote(p.Group) + " keeps what root's group may do: give it a group without rights")
	}
	if id.root, err = filepath.Abs(p.ChrootPath); err != nil {
		bad("privileges.chroot_path", "%v", err)
	} else if info, err := os.Stat(id.root); err != nil {
		bad("privileges.chroot_path", "%v", errors.Unwrap(err))
	} else if !info.IsDir() {
		bad("privileges.chroot_path", "is no directory")
	}
	if len(problems) > 0 {
		return problems.Err()
	}
	d.absoluteSockets()
	reach := trial{id}
	d.eachReloaded(func(key string, path *string) {
		inside, err := chrooted(id.root, *path)
		if err == nil {
			err = reach.check(inside)
		}
		if err != nil {
			bad(key, "%v", err)
			return
		}
		*path = inside
	})
	if err := d.moveSnapshot(id.root, reach); err != nil {
		bad("snapshot.path", "%v", err)
	}
	if err := d.moveStorage(id.root); err != nil {
		bad("tls.acme.storage", "%v", err)
	}
	if len(problems) > 0 {
		return problems.Err()
	}
	d.become = id
	return os.Chdir(id.root)
}

// moveSnapshot makes the snapshot's path one that holds inside root, and checks
// that the file can be written there.
func (d *Daemon) moveSnapshot(root string, reach trial) error {
	path := d.cfg.Snapshot.Path
	if path == "" {
		return nil
	}
	dir, err := chrooted(root, filepath.Dir(path))
	if err != nil {
		return err
	}
	d.cfg.Snapshot.Path = filepath.Join(dir, filepath.Base(path))
	return reach.checkCreate(d.cfg.Snapshot.Path + probe)
}

// eachReloaded calls f with the key and the path of each file that a reload
// reads.
func (d *Daemon) eachReloaded(f func(key string, path *string)) {
	if d.cfg.AccessList.Mode != config.AccessOff {
		f("access_list.path", &d.cfg.AccessList.Path)
	}
	if !needsTLS(&d.cfg) {
		return
	}
	each := func(key string, path *string) {
		if *path != "" {
			f(key, path)
		}
	}
	each("network.tls_certificate_path", &d.cfg.Network.TLSCertificatePath)
	each("network.tls_private_key_path", &d.cfg.Network.TLSPrivateKeyPath)
	for i := range d.cfg.TLS.Certificates {
		c := &d.cfg.TLS.Certificates[i]
		each(fmt.Sprintf("tls.certificates[%d].certificate_path", i), &c.CertificatePath)
		each(fmt.Sprintf("tls.certificates[%d].private_key_path", i), &c.PrivateKeyPath)
	}
}

// absoluteSockets frees the paths of unix sockets from the working directory.
func (d *Daemon) absoluteSockets() {
	absolute := func(address *string) {
		l := config.Listener{Address: *address}
		kind, path, err := l.Endpoint()
		if err != nil || kind != config.EndpointUnix || path[0] == '@' {
			return
		}
		if abs, err := filepath.Abs(path); err == nil {
			*address = "unix:" + abs
		}
	}
	absolute(&d.cfg.Admin.Address)
	for i := range d.cfg.Listeners {
		absolute(&d.cfg.Listeners[i].Address)
	}
}

// dropPrivileges becomes d.become, if that is anyone.
func (d *Daemon) dropPrivileges() error {
	if d.become == nil {
		return nil
	}
	// The log's time zone is read on first use, and out of reach afterwards.
	_, _ = time.Now().Zone()
	if err := d.become.drop(); err != nil {
		return fmt.Errorf("dropping privileges: %w", err)
	}
	d.log.Info("dropped privileges", "uid", d.become.uid, "gid", d.become.gid, "root", d.become.root)
	return nil
}
