package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOneTrackerASnapshot: two trackers with one snapshot would overwrite each
// other's in turn. A crash must not keep the next tracker out.
func TestOneTrackerASnapshot(t *testing.T) {
	binary := realBinary(t)
	t.Run("as it was started", func(t *testing.T) { oneTrackerASnapshot(t, binary, t.TempDir(), "") })
	if os.Geteuid() != 0 {
		return // TestPrivilegeDrop has what happens then
	}
	t.Run("without privileges", func(t *testing.T) {
		jail := filepath.Join(t.TempDir(), "jail")
		// As /tmp, where a file that is not one's own stays.
		if err := os.Mkdir(jail, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(jail, 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
		oneTrackerASnapshot(t, binary, jail, fmt.Sprintf("[privileges]\ndrop_privileges = true\nchroot_path = %q\n", jail))
	})
}

func oneTrackerASnapshot(t *testing.T, binary, dir, privileges string) {
	own := t.TempDir()
	file, socket := filepath.Join(own, "spate.toml"), filepath.Join(own, "admin.sock")
	path := filepath.Join(dir, "swarms")
	writeFile(t, file, fmt.Sprintf("[network]\naddress_ipv4 = \"127.0.0.1:0\"\nuse_ipv6 = false\n[snapshot]\npath = %q\n%s", path, privileges))
	crashing := filepath.Join(own, "crashing.toml")
	writeFile(t, crashing, fmt.Sprintf("admin.address = \"unix:%s\"\nnetwork.address_ipv4 = \"127.0.0.1:0\"\nnetwork.use_ipv6 = false\nsnapshot.path = %q\n%s", socket, path, privileges))

	crash := exec.Command(binary, "-c", crashing)
	if err := crash.Start(); err != nil {
		t.Fatal(err)
	}
	conn := dialWhenThere(t, socket)
	defer conn.Close()
	if err := crash.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = crash.Wait() // it was killed
	if _, err := os.Stat(path + ".lock"); err != nil {
		t.Fatalf("the crash left no lock: %v", err)
	}

	t.Cleanup(func() { // once the tracker below has stopped
		if _, err := os.Stat(path); err != nil {
			t.Errorf("there is no snapshot: %v", err)
		}
		if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
			t.Errorf("%v were left behind, %v", left, err)
		}
	})
	running := launch(t, exec.Command(binary, "-c", file))
	problem := fmt.Sprintf("%s:5: [snapshot] path = %q: another tracker keeps its snapshot there: process %d: ", file, path, running.cmd.Process.Pid)
	for range 2 { // the check between them does not take the lock away
		out, err := exec.Command(binary, "-c", file).CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), problem) {
			t.Errorf("a second tracker: %v\n%s", err, out)
		}
		out, err = exec.Command(binary, "check", "-c", file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "note: "+problem) {
			t.Errorf("a check: %v\n%s", err, out)
		}
	}
}
