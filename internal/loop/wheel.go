package loop

import "time"

const (
	// Tick is the resolution of a Wheel: a timer expires up to one tick after
	// its deadline, never before.
	Tick = 500 * time.Millisecond
	// MaxAhead is how far ahead a deadline may lie, 34 years: ticks have 32 bits, of
	// which a process that lives as long needs the other half.
	MaxAhead = 1 << 31 * Tick
	// wheelSlots is the number of ticks that a wheel spans. A deadline beyond
	// waits in the farthest slot and is looked at again there.
	wheelSlots = 512

	// none ends a list. Timer ids are therefore below it.
	none = ^uint32(0)
)

// A Wheel holds a deadline for each of a set of small numbers (timer ids, in
// practice the indices of connections). Setting and cancelling cost the same
// at any number of timers, and no timer costs a Go pointer: the lists run
// through one array of 16-byte links.
//
// A deadline that is moved to a later time stays in the list of the earlier
// one and is looked at again there, so that pushing back the idle deadline of a
// connection at each request is one store.
//
// The zero Wheel is not usable: see NewWheel.
type Wheel struct {
	heads [wheelSlots]uint32
	links Slab[timer]
	now   uint32 // the tick up to which all slots are expired
	len   int
}

// timer is the link of one id.
type timer struct {
	next, prev uint32
	due        uint32 // the tick of the deadline; 0 when none is set
	slot       uint32 // the tick whose list holds it, at most due
}

// NewWheel returns a wheel without timers. Times given to its methods never
// lie before now and never go back.
func NewWheel(now time.Duration) *Wheel {
	w := &Wheel{now: uint32(now / Tick)}
	for i := range w.heads {
		w.heads[i] = none
	}
	return w
}

// Len returns the number of timers.
func (w *Wheel) Len() int { return w.len }

// Set gives id a deadline, in place of the one that it may have. It lies MaxAhead at
// most in the future.
func (w *Wheel) Set(id uint32, at time.Duration) {
	w.links.Grow(id)
	t := w.links.At(id)
	due := max(uint32((at+Tick-1)/Tick), w.now+1)
	if t.due != 0 {
		if due >= t.slot {
			t.due = due
			return
		}
		w.unlink(t)
		w.len--
	}
	t.due = due
	w.link(id, t)
	w.len++
}

// Due returns the deadline of id, rounded up to a Tick; 0 is none.
func (w *Wheel) Due(id uint32) time.Duration {
	if !w.links.Has(id) {
		return 0
	}
	return time.Duration(w.links.At(id).due) * Tick
}

// Cancel takes the deadline of id away, if it has one.
func (w *Wheel) Cancel(id uint32) {
	if !w.links.Has(id) {
		return
	}
	if t := w.links.At(id); t.due != 0 {
		w.unlink(t)
		t.due = 0
		w.len--
	}
}

// Expire takes one timer whose deadline has passed and returns its id. It is
// false when there is none left: call it until then, at least once a Tick.
func (w *Wheel) Expire(now time.Duration) (id uint32, ok bool) {
	tick := uint32(now / Tick)
	for {
		for id := w.heads[w.now%wheelSlots]; id != none; id = w.heads[w.now%wheelSlots] {
			t := w.links.At(id)
			w.unlink(t)
			if t.due <= w.now {
				t.due = 0
				w.len--
				return id, true
			}
			w.link(id, t) // pushed back, or from a round to come: never into this slot
		}
		if w.now >= tick {
			return 0, false
		}
		w.now++
	}
}

// Wait returns how long no timer can expire: at most until the next tick, and
// a negative duration when there is no timer at all.
func (w *Wheel) Wait(now time.Duration) time.Duration {
	if w.len == 0 {
		return -1
	}
	return max(0, time.Duration(w.now+1)*Tick-now)
}

// link puts a timer into the list of its deadline's tick, or of the farthest
// tick before it.
func (w *Wheel) link(id uint32, t *timer) {
	t.slot = min(t.due, w.now+wheelSlots-1)
	head := &w.heads[t.slot%wheelSlots]
	t.next, t.prev = *head, none
	if *head != none {
		w.links.At(*head).prev = id
	}
	*head = id
}

func (w *Wheel) unlink(t *timer) {
	if t.prev != none {
		w.links.At(t.prev).next = t.next
	} else {
		w.heads[t.slot%wheelSlots] = t.next
	}
	if t.next != none {
		w.links.At(t.next).prev = t.prev
	}
}
