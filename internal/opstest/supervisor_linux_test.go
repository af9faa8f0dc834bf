//go:build amd64 || arm64

package opstest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A watched is a system call that a supervisor is asked about.
type watched struct {
	call  uintptr
	arg   int // number of an argument, or anyArg
	value uint32
}

const anyArg = -1

// A notification is the kernel's struct seccomp_notif: a thread that waits in
// a system call.
type notification struct {
	ID         uint64
	PID, Flags uint32 // PID is the thread's
	Call       int32
	Arch       uint32
	IP         uint64
	Args       [6]uint64
}

// A response is struct seccomp_notif_resp.
type response struct {
	ID    uint64
	Val   int64
	Error int32 // negative, as the kernel returns it
	Flags uint32
}

// A verdict is what a supervised system call returns: what the kernel says of
// it when pass is true, otherwise an error, or 0 for success.
type verdict struct {
	pass  bool
	errno unix.Errno
}

// A supervisor stands between a program and the kernel (seccomp_unotify(2)), so
// that the program meets what the machine cannot be brought to without harm. It
// lives in another process than the program: a thread that waits for it does so
// in the kernel, where Go's scheduler does not look.
type supervisor struct {
	watch []watched
	// decide is called for each call that is watched, and again for one that a
	// signal has interrupted before it heard of the verdict; done, which may be
	// nil, when it has heard. One goroutine calls both.
	decide func(n *notification) verdict
	done   func(n *notification, v verdict)
	// slowClock takes the vDSO away, by which programs read clocks without a
	// system call.
	slowClock bool
}

// start starts the program. The filter is a thread's, and inherited by the
// processes that the thread makes: so is it the program's and nobody else's.
func (s *supervisor) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		result <- s.startHere(cmd)
	}()
	return <-result
}

func (s *supervisor) startHere(cmd *exec.Cmd) error {
	fd, err := s.filter()
	if err != nil {
		return fmt.Errorf("the kernel (Linux 5.5 is needed) or a sandbox around the tests refuses a seccomp filter with user notification: %w", err)
	}
	go s.serve(fd)
	if s.slowClock {
		cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if s.slowClock {
		if err := hideVDSO(cmd.Process.Pid); err != nil {
			_ = cmd.Process.Kill()
			return fmt.Errorf("taking the vDSO away, which needs leave to trace: %w", err)
		}
	}
	return nil
}

// filter installs the filter on this thread and returns the descriptor that
// notifications come from.
func (s *supervisor) filter() (fd int, err error) {
	const nrAt, argsAt = 0, 16 // in struct seccomp_data; little-endian
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	skipUnless := func(value uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: skip}
	}
	ret := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	var program []unix.SockFilter
	for _, w := range s.watch {
		program = append(program, load(nrAt))
		if w.arg == anyArg {
			program = append(program, skipUnless(uint32(w.call), 1))
		} else {
			program = append(program, skipUnless(uint32(w.call), 3), load(argsAt+8*uint32(w.arg)), skipUnless(w.value, 1))
		}
		program = append(program, ret(unix.SECCOMP_RET_USER_NOTIF))
	}
	program = append(program, ret(unix.SECCOMP_RET_ALLOW))
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil { // or only root could
		return 0, os.NewSyscallError("prctl PR_SET_NO_NEW_PRIVS", err)
	}
	r, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&f)))
	if e != 0 {
		return 0, os.NewSyscallError("seccomp", e)
	}
	return int(r), nil
}

// serve answers until the program has ended.
func (s *supervisor) serve(fd int) {
	defer unix.Close(fd)
	for {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(polled, -1); errors.Is(err, unix.EINTR) {
			continue
		}
		if polled[0].Revents&unix.POLLIN == 0 {
			return // nobody is left who could ask
		}
		var n notification
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); e != 0 {
			continue // who asked was interrupted
		}
		v := s.decide(&n)
		r := response{ID: n.ID, Error: -int32(v.errno)}
		if v.pass {
			r.Flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		}
		_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r)))
		if e == 0 && s.done != nil {
			s.done(&n, v)
		}
	}
}

// Keys of the auxiliary vector (getauxval(3)), which lies above a new program's
// environment.
const (
	auxIgnore = 1
	auxVDSO   = 33 // AT_SYSINFO_EHDR
)

// hideVDSO lets a program that waits at its first instruction, traced by this
// thread, run on without knowing of the vDSO. A pointer has 8 bytes.
func hideVDSO(pid int) error {
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil || !status.Stopped() {
		return fmt.Errorf("the program does not wait: %w, status %#x", err, status)
	}
	proc := fmt.Sprintf("/proc/%d/", pid)
	vector, err := os.ReadFile(proc + "auxv")
	if err != nil {
		return err
	}
	stack, err := stackStart(proc)
	if err != nil {
		return err
	}
	memory, err := os.OpenFile(proc+"mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	page := make([]byte, 256<<10)
	n, _ := memory.ReadAt(page, stack) // until the end of the stack
	at := bytes.Index(page[:n], vector)
	for i := 0; at >= 0 && i < len(vector); i += 16 {
		if binary.NativeEndian.Uint64(vector[i:]) == auxVDSO {
			if _, err := memory.WriteAt(binary.NativeEndian.AppendUint64(nil, auxIgnore), stack+int64(at+i)); err != nil {
				return err
			}
			return unix.PtraceDetach(pid)
		}
	}
	return errors.New("no vDSO in the program's auxiliary vector")
}

// stackStart returns where the stack of a program began, with the number of its
// arguments: the 28th field of /proc/PID/stat.
func stackStart(proc string) (int64, error) {
	stat, err := os.ReadFile(proc + "stat")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // behind the second field, the name
	fields := strings.Fields(rest)
	if len(fields) < 26 {
		return 0, fmt.Errorf("%sstat has %d fields", proc, len(fields)+2)
	}
	return strconv.ParseInt(fields[25], 10, 64)
}
