package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for something that has to happen.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"spate": main})
}

// TestScripts runs testdata/script/*.txtar. Besides testscript's own commands
// there are:
//
//	start NAME ARG...      starts spate and waits until it serves; its log goes
//	                       to NAME.log, its URLs without /announce to $NAME4 and $NAME6
//	signal NAME SIGNAL     sends USR1, USR2, HUP, TERM or INT
//	waitlog NAME REGEXP    waits until the log has a match
//	stop NAME              sends TERM; the exit code has to be 0, soon
//	get URL                prints the body of a reply with status 200
//	busy NAME              listens on a port, whose address is then $NAME
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Values[runningKey{}] = map[string]*program{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start":   start,
			"signal":  sendSignal,
			"waitlog": waitLog,
			"stop":    stop,
			"get":     get,
			"busy":    busy,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// A program is a spate that a script has started.
type program struct {
	cmd   *exec.Cmd
	log   string // the path of its log
	ended chan error
}

type runningKey struct{}

func running(ts *testscript.TestScript, name string) *program {
	p := ts.Value(runningKey{}).(map[string]*program)[name]
	if p == nil {
		ts.Fatalf("no program %q was started", name)
	}
	return p
}

func start(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: start NAME ARG...")
	}
	name := args[0]
	p := &program{log: ts.MkAbs(name + ".log"), ended: make(chan error, 1)}
	log, err := os.Create(p.log)
	ts.Check(err)
	path := ts.Getenv("PATH")
	binary := filepath.Join(strings.Split(path, string(os.PathListSeparator))[0], "spate")
	p.cmd = exec.Command(binary, args[1:]...)
	p.cmd.Dir = ts.MkAbs(".")
	ready := manager(ts)
	p.cmd.Env = []string{"PATH=" + path, "HOME=" + ts.Getenv("HOME"), "NOTIFY_SOCKET=" + ready.LocalAddr().String()}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	ts.Check(p.cmd.Start())
	ts.Check(log.Close())
	go func() { p.ended <- p.cmd.Wait() }()
	ts.Defer(func() { _ = p.cmd.Process.Kill() }) // it may have ended
	ts.Value(runningKey{}).(map[string]*program)[name] = p

	awaitReady(ts, p, ready)
	text, err := os.ReadFile(p.log)
	ts.Check(err)
	for _, m := range regexp.MustCompile(`announce_url=(\S+)/announce`).FindAllSubmatch(text, -1) {
		url := string(m[1])
		family := "4"
		if strings.Contains(url, "[") {
			family = "6"
		}
		ts.Setenv(name+family, url)
	}
}

// manager listens as a service manager does (sd_notify(3)).
func manager(ts *testscript.TestScript) *net.UnixConn {
	dir, err := os.MkdirTemp("", "spate") // a socket's path has to be short
	ts.Check(err)
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	ts.Check(err)
	ts.Defer(func() {
		_ = conn.Close()
		ts.Check(os.RemoveAll(dir))
	})
	return conn
}

// awaitReady waits until a program says that it is ready.
func awaitReady(ts *testscript.TestScript, p *program, from *net.UnixConn) {
	go func() {
		err := <-p.ended
		p.ended <- err
		_ = from.SetReadDeadline(time.Now()) // there will be no news
	}()
	ts.Check(from.SetReadDeadline(time.Now().Add(patience)))
	news := make([]byte, 4096)
	for {
		n, err := from.Read(news)
		if err != nil {
			ts.Fatalf("spate does not get ready: %v\n%s", err, ts.ReadFile(p.log))
		}
		if strings.Contains(string(news[:n]), "READY=1") {
			return
		}
	}
}

// awaitLog waits until a program's log has a match, and fails when the program
// ends before.
func awaitLog(ts *testscript.TestScript, p *program, pattern string) {
	re := regexp.MustCompile(pattern)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		text, err := os.ReadFile(p.log)
		ts.Check(err)
		if re.Match(text) {
			return
		}
		select {
		case err := <-p.ended:
			p.ended <- err
			ts.Fatalf("spate ended (%v):\n%s", err, text)
		default:
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the log has no match of %q:\n%s", pattern, text)
		}
	}
}

func waitLog(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: waitlog NAME REGEXP")
	}
	awaitLog(ts, running(ts, args[0]), args[1])
}

func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: signal NAME SIGNAL")
	}
	s, known := map[string]os.Signal{
		"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT,
	}[args[1]]
	if !known {
		ts.Fatalf("unknown signal %s", args[1])
	}
	ts.Check(running(ts, args[0]).cmd.Process.Signal(s))
}

func stop(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: stop NAME")
	}
	p := running(ts, args[0])
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-p.ended:
		if err != nil {
			ts.Fatalf("spate did not exit with 0: %v\n%s", err, ts.ReadFile(p.log))
		}
	case <-time.After(patience):
		ts.Fatalf("spate did not stop:\n%s", ts.ReadFile(p.log))
	}
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: get URL")
	}
	client := http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	reply, err := client.Get(args[0])
	if err == nil {
		defer reply.Body.Close()
		var body []byte
		body, err = io.ReadAll(reply.Body)
		if err == nil && reply.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", reply.Status, body)
		}
		_, writeErr := ts.Stdout().Write(body)
		ts.Check(writeErr)
	}
	if neg && err == nil {
		ts.Fatalf("%s answers", args[0])
	}
	if !neg {
		ts.Check(err)
	}
}

func busy(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: busy NAME")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = ln.Close() })
	ts.Setenv(args[0], ln.Addr().String())
}
