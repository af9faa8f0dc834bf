package daemon

import (
	"context"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"spate/internal/admin"
)

// systemd is the service manager that started the process, if one did. The
// connection is opened at the start, since its path is out of reach once the
// root directory has changed.
type systemd struct {
	conn *net.UnixConn // nil without a service manager
	mu   sync.Mutex    // held while news are sent: conn has one deadline for all
}

// dialSystemd connects to the service manager of NOTIFY_SOCKET.
func dialSystemd() *systemd {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return &systemd{}
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return &systemd{} // it would have been told, and does not listen
	}
	return &systemd{conn: conn}
}

// notifyWithin is how long news may take. A manager that hangs, while ten of them wait
// for it already, must not keep a reload or a stop waiting too.
const notifyWithin = time.Second

// notify tells the service manager a state (sd_notify(3)).
func (s *systemd) notify(state string) {
	if s.conn == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(notifyWithin))
	_, _ = s.conn.Write([]byte(state)) // a manager that is gone needs no news
}

func (s *systemd) close() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// reloading tells the service manager that a reload begins. It wants to know
// when (Type=notify-reload).
func (s *systemd) reloading() {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err == nil {
		s.notify("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(ts.Nano()/1000, 10))
	}
}

// watchdog tells the service manager that the tracker lives, as often as it
// wants to hear it, for as long as the tracker is healthy, or stops: the last
// snapshot may take longer than a watchdog waits, and a stop that hangs has a limit
// of its own.
func (d *Daemon) watchdog(ctx context.Context) {
	patience, err := sd.SdWatchdogEnabled(false)
	if err != nil || patience == 0 {
		return
	}
	every(ctx, patience/3, func() {
		if admin.State(d.state.Load()) == admin.StateStopping || len(d.stuck()) == 0 {
			d.systemd.notify("WATCHDOG=1")
		}
	})
}
