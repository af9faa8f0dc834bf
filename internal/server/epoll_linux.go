package server

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"spate/internal/loop"
)

// haveLoops says whether plain TCP connections are carried by epoll loops.
const haveLoops = true

// A phase is how far an epoll driver has come in its life.
type phase uint32

const (
	phaseServing   phase = iota
	phaseDraining        // no new connections but those already under way; each closes after its next answer
	phaseDeaf            // the listening sockets and idle connections are closed
	phaseHurried         // partial heads are given up
	phaseAbandoned       // everything is closed
)

// An epollDriver carries plain connections by event loops, one for each
// worker. Nothing on the way of a request is shared between loops.
type epollDriver struct {
	s        *Server
	sockets  []*socket // the first loop's; closed with it
	loops    []*epollLoop
	phase    atomic.Uint32
	budget   *loop.Budget // of what connections hold; the server's
	deaf     atomic.Int32 // loops that have stopped to accept
	steering steering
	// dozes: there are more Ps than loops, so that a loop may keep its own
	// while it waits for a short time.
	dozes bool
}

// newLoopDriver makes the loops and binds the sockets of all but the first,
// which takes those given.
func newLoopDriver(s *Server, sockets []*socket) (driver, error) {
	armRuntime()
	d := &epollDriver{s: s, sockets: sockets, budget: s.budget}
	for i := range s.rules.cfg.Workers {
		l, err := newEpollLoop(d, i)
		if err != nil {
			d.close()
			return nil, err
		}
		d.loops = append(d.loops, l)
	}
	for _, l := range d.loops {
		if err := l.listen(sockets); err != nil {
			d.close()
			return nil, err
		}
	}
	return d, nil
}

// armRuntime lets the Go runtime make its own poller now. It makes it for the
// first timer or network connection of the process, and kills the process when
// it cannot: a tracker that loops alone carry might come to that after clients
// have taken the last descriptor.
func armRuntime() { time.AfterFunc(time.Hour, func() {}).Stop() }

// close may be called when no loop runs.
func (d *epollDriver) close() {
	for _, l := range d.loops {
		l.endRun()
		l.poller.Close()
	}
}

// stats may be called at any time, concurrently.
func (d *epollDriver) stats() []LoopStats {
	all := make([]LoopStats, len(d.loops))
	for i, l := range d.loops {
		all[i] = LoopStats{
			Woken:     time.Duration(l.heartbeat.Load()),
			Busy:      float64(l.busy.Load()) / 1000,
			Head:      int(l.states[stateHead].Load()),
			Idle:      int(l.states[stateIdle].Load()),
			Writing:   int(l.states[stateWriting].Load()),
			Lingering: int(l.states[stateLingering].Load()),
		}
	}
	return all
}

// closeSockets closes the sockets that loops share or leave to the driver,
// when the last loop has stopped to accept.
func (d *epollDriver) closeSockets() {
	if int(d.deaf.Add(1)) == len(d.loops) {
		for _, s := range d.sockets {
			s.close()
		}
	}
}

// run starts the loops and takes them through the phases of a stop.
func (d *epollDriver) run(ctx context.Context) error {
	d.dozes = runtime.GOMAXPROCS(0) > len(d.loops)
	ended := make(chan error, len(d.loops))
	for _, l := range d.loops {
		go func() { ended <- l.runGuarded() }()
	}
	running := len(d.loops)
	var errs []error
	stopped := ctx.Done()
	timeout := d.s.rules.cfg.ShutdownTimeout
	var next <-chan time.Time // when the next phase begins
	for start := time.Now(); running > 0; {
		select {
		case err := <-ended:
			running--
			if err != nil {
				errs = append(errs, err)
				d.s.log.Error("an event loop failed: the server stops", "err", err)
				d.s.drain()
			}
			continue
		case <-stopped:
		case <-next:
		}
		if stopped != nil {
			stopped, start = nil, time.Now()
		}
		next = nil
		if now := d.enterNext(); now < phaseAbandoned {
			next = d.s.after(time.Until(start.Add(phaseEnd(now, timeout))))
		}
	}
	d.close()
	return errors.Join(errs...)
}

// enterNext tells all loops to enter the next phase, and returns it.
func (d *epollDriver) enterNext() phase {
	now := min(phase(d.phase.Load())+1, phaseAbandoned)
	d.phase.Store(uint32(now))
	for _, l := range d.loops {
		l.poller.Wake()
	}
	return now
}

// phaseEnd is how long after the stop a phase ends.
func phaseEnd(p phase, timeout time.Duration) time.Duration {
	switch p {
	case phaseDraining:
		return drainTime(timeout)
	case phaseDeaf:
		return headTime(timeout)
	default:
		return replyTime(timeout)
	}
}

// runGuarded runs the loop and turns a panic into an error: one loop that died
// in silence would leave a part of all connections unanswered.
func (l *epollLoop) runGuarded() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("loop %d: panic: %v\n%s", l.index, v, debug.Stack())
		}
		l.endRun()
	}()
	if err := l.run(); err != nil {
		return fmt.Errorf("loop %d: %w", l.index, err)
	}
	return nil
}

// run serves until the phase says to stop.
func (l *epollLoop) run() error {
	// One that never comes back from its first wait is seen to be away, too.
	l.beat(l.d.s.rules.cfg.Clock())
	for {
		events, err := l.wait()
		if err != nil {
			return err
		}
		if p := phase(l.d.phase.Load()); p != l.phase {
			if err := l.enter(p); err != nil {
				return err
			}
		}
		l.takeIn()
		if l.crowded.Load() && l.crowded.Swap(false) {
			l.giveWay()
		}
		if err := l.handleAll(events); err != nil {
			return err
		}
		l.expireDue()
		if l.pausedUntil != 0 && l.now >= l.pausedUntil {
			if err := l.resume(); err != nil {
				return err
			}
		}
		l.balance()
		if l.phase >= phaseDeaf && l.ids.Used() == 0 {
			return nil
		}
	}
}

// maxWait bounds a wait, so that the heartbeat is never older than that on a
// healthy loop.
const maxWait = time.Second

// expireBatch bounds how many connections one wake-up ends since their deadlines
// have passed. A close takes about 10 µs.
const expireBatch = 64

// dozeTime is how long a loop that waits keeps its P.
const dozeTime = 20 * time.Millisecond

// restTime is how long a wait has to be to count as sleep: one that finds events at
// once takes a tenth of it.
const restTime = 10 * time.Microsecond

// wait returns what has happened, and sets now.
func (l *epollLoop) wait() ([]loop.Event, error) {
	clock := l.d.s.rules.cfg.Clock
	before := clock()
	events, err := l.sleep(l.maySleep(before))
	now := clock()
	l.slept += now - before
	l.rested = now-before > restTime
	l.beat(now)
	return events, err
}

// maySleep returns how long the loop may sleep if nothing happens.
func (l *epollLoop) maySleep(now time.Duration) time.Duration {
	d := maxWait
	if w := l.wheel.Wait(now); w >= 0 {
		d = min(d, w)
	}
	if l.pausedUntil != 0 {
		d = min(d, max(0, l.pausedUntil-now))
	}
	if l.late {
		d = 0
	}
	return d
}

// sleep waits until something happens, at most for d.
func (l *epollLoop) sleep(d time.Duration) ([]loop.Event, error) {
	if l.d.dozes {
		events, over, err := l.poller.Doze(min(d, dozeTime))
		if !over || d <= dozeTime {
			return events, err
		}
		d -= dozeTime
	}
	return l.poller.Wait(d)
}

// beat sets the loop's time.
func (l *epollLoop) beat(now time.Duration) {
	l.now = now
	l.heartbeat.Store(int64(now))
	for s := stateHead; s < stateCount; s++ {
		// A load costs nothing, a store waits for others' caches.
		if n := l.inState[s]; l.states[s].Load() != n {
			l.states[s].Store(n)
		}
	}
}

// handleAll does what events ask for. Where there are more of them than a wake-up
// takes, new connections have their turn as well: their event may be behind those of
// ten thousand connections that ended at once, whose closing takes 200 ms.
func (l *epollLoop) handleAll(events []loop.Event) error {
	if err := l.handleEvents(events); err != nil || len(events) < loop.EventBatch {
		return err
	}
	for i := range l.listeners {
		if err := l.accept(&l.listeners[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *epollLoop) handleEvents(events []loop.Event) error {
	defer l.answerBatch() // also when one of them makes the loop fail
	for _, e := range events {
		if l.abandoned() {
			return nil // all of them end next
		}
		if err := l.handle(e); err != nil {
			return err
		}
	}
	return nil
}

// abandoned reports whether the time for the stop is over. One full scrape can take
// tens of milliseconds, so that what is ready may be a minute's work.
func (l *epollLoop) abandoned() bool { return phase(l.d.phase.Load()) == phaseAbandoned }

// handle does what one event asks for, but for answering the batch.
func (l *epollLoop) handle(e loop.Event) error {
	if e.Token&listenerToken != 0 {
		if i := int(e.Token &^ listenerToken); i < len(l.listeners) {
			return l.accept(&l.listeners[i])
		}
		return nil // closed since
	}
	id, generation := uint32(e.Token), uint32(e.Token>>32)
	r := l.records.At(id)
	if r.generation != generation || r.state == stateFree {
		return nil // ended earlier in this batch
	}
	switch r.state {
	case stateWriting:
		l.writable(id)
	case stateLingering:
		l.drop(id)
	default:
		if ended := e.Ready&loop.Ended != 0; r.held == 0 {
			l.receive(id, ended)
		} else {
			l.readable(id, ended)
		}
	}
	return nil
}

// expireDue ends connections whose deadlines have passed, a batch at most: a
// crowd that came together is due together, and others are to have their turn.
func (l *epollLoop) expireDue() {
	for range expireBatch {
		id, ok := l.wheel.Expire(l.now)
		if !ok {
			l.late = false
			return
		}
		l.expire(id)
	}
	l.late = true
}

// expire ends a connection whose deadline has passed.
func (l *epollLoop) expire(id uint32) {
	c := l.carry(id)
	r := l.records.At(id)
	switch r.state {
	case stateHead:
		if l.phase != phaseServing && r.held == 0 {
			l.end(&c, endShutdown)
			return
		}
		l.end(&c, endHeadTimeout)
	case stateIdle:
		l.end(&c, endIdle)
	case stateLingering:
		l.end(&c, r.lingered())
	case stateWriting:
		// The peer does not read. A reset frees what the kernel still holds
		// for it; otherwise that stays for minutes.
		loop.Reset(c.fd)
		l.end(&c, endWriteTimeout)
	}
}
