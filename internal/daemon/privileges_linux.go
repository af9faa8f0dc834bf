package daemon

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// canDrop reports why the process cannot drop its privileges.
func canDrop() error {
	if os.Geteuid() != 0 {
		return errors.New("needs a process that was started as root")
	}
	// Capabilities belong to threads. The runtime can change those of all its
	// threads at once, unless C code may have made some of its own.
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_GET_NO_NEW_PRIVS, 0, 0); errno == syscall.ENOTSUP {
		return errors.New("needs a program that was built without cgo: use make build, or CGO_ENABLED=0")
	}
	return mayDrop()
}

// mayDrop reports which of the capabilities that dropping privileges needs this root
// lacks, as root in a container may.
func mayDrop() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("reading the process's capabilities: %w", err)
	}
	var missing []string
	for _, c := range []struct {
		number int
		name   string
	}{
		{unix.CAP_SETGID, "CAP_SETGID"},
		{unix.CAP_SETUID, "CAP_SETUID"},
		{unix.CAP_SETPCAP, "CAP_SETPCAP"},
		{unix.CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
	} {
		if sets[0].Effective&(1<<c.number) == 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("this root lacks %s: give that to the process, or start it as the user that it is to become", strings.Join(missing, ", "))
	}
	return nil
}

// drop changes the root directory, the groups and the user of all threads, and
// empties every capability set, for good. After an error the process is in
// between and has to end.
func (id *identity) drop() error {
	if err := syscall.Chroot(id.root); err != nil {
		return fmt.Errorf("chroot to %s: %w", id.root, err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	// The bounding set goes while the right to change it is still there.
	if err := emptyBoundingSet(); err != nil {
		return err
	}
	if err := allThreads(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return fmt.Errorf("clearing ambient capabilities: %w", err)
	}
	// The syscall package changes these on all threads.
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("clearing supplementary groups: %w", err)
	}
	if err := syscall.Setresgid(id.gid, id.gid, id.gid); err != nil {
		return fmt.Errorf("changing the group to %d: %w", id.gid, err)
	}
	if err := syscall.Setresuid(id.uid, id.uid, id.uid); err != nil {
		return fmt.Errorf("changing the user to %d: %w", id.uid, err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	// The conversions have to stand in the call itself, which keeps both alive.
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0); errno != 0 {
		return fmt.Errorf("clearing capabilities: %w", errno)
	}
	if err := allThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return fmt.Errorf("forbidding new privileges: %w", err)
	}
	return id.verify()
}

// emptyBoundingSet takes every capability out of the bounding set.
func emptyBoundingSet() error {
	for c := uintptr(0); ; c++ {
		err := allThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0)
		switch {
		case errors.Is(err, unix.EINVAL) && c > 0:
			return nil // the kernel knows no more of them
		case err != nil:
			return fmt.Errorf("removing capability %d from the bounding set: %w", c, err)
		}
	}
}

func allThreads(trap, a1, a2, a3 uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall(trap, a1, a2, a3); errno != 0 {
		return errno
	}
	return nil
}

// verify reads back what drop did, and tries to undo it: that fails where the saved
// user and group are ours as well. They cannot be read everywhere: getresuid(2) has 16
// bits for each on 386 and arm.
func (id *identity) verify() error {
	r, e, rg, eg := unix.Getuid(), unix.Geteuid(), unix.Getgid(), unix.Getegid()
	groups, err := unix.Getgroups()
	switch {
	case err != nil:
		return err
	case r != id.uid || e != id.uid || rg != id.gid || eg != id.gid || len(groups) != 0:
		return fmt.Errorf("the system left users %d %d, groups %d %d and %v", r, e, rg, eg, groups)
	case syscall.Setuid(0) == nil:
		return errors.New("root could be had back")
	case id.gid != 0 && syscall.Setgid(0) == nil:
		return errors.New("root's group could be had back")
	}
	return nil
}

// A trial tries files with the rights and the root that the process will have.
type trial struct{ id *identity }

// check opens the file at path, which is relative to the new root, as the new
// user. It leaves the process as it is.
func (t trial) check(path string) error {
	return t.try(func() error {
		fd, err := unix.Open("/"+path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return fmt.Errorf("user %d, group %d cannot read /%s below %s, which a reload needs: %w", t.id.uid, t.id.gid, path, t.id.root, err)
		}
		return unix.Close(fd)
	})
}

// checkCreate makes the file at path and takes it away again, in the way of check.
func (t trial) checkCreate(path string) error {
	return t.try(func() error {
		fd, err := unix.Open("/"+path, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return fmt.Errorf("user %d, group %d cannot make /%s below %s: %w", t.id.uid, t.id.gid, path, t.id.root, err)
		}
		err = unix.Unlink("/" + path)
		if errors.Is(err, unix.ENOENT) {
			err = nil // another start or check tried at the same time, and was faster
		}
		return errors.Join(unix.Close(fd), err)
	})
}

// try calls f on a thread that has become the new user, which ends with it.
func (t trial) try(f func() error) error {
	result := make(chan error)
	go func() {
		// Without an unlock the thread dies with the goroutine.
		runtime.LockOSThread()
		err := t.become()
		if err == nil {
			err = f()
		}
		result <- err
	}()
	return <-result
}

func (t trial) become() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("trying to read as the new user: %w", err)
	}
	if err := unix.Chroot(t.id.root); err != nil {
		return fmt.Errorf("trying to read below %s: %w", t.id.root, err)
	}
	// The raw calls change this thread alone.
	if _, _, errno := syscall.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return errno
	}
	_ = unix.Setfsgid(t.id.gid) // these two cannot fail for root,
	_ = unix.Setfsuid(t.id.uid) // and with the user go the rights over files
	return nil
}
