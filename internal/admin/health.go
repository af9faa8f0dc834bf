package admin

import (
	"encoding/json"
	"net/http"
)

// State is how the tracker is.
type State uint8

// The states. Only a ready tracker should be given clients.
const (
	StateStarting State = iota
	StateReady
	StateStopping
	// StateStuck is a loop that hangs or a sweep that does not go on: a
	// restart would help.
	StateStuck
)

// String returns the state as /health writes it.
func (s State) String() string {
	return [...]string{"starting", "ready", "stopping", "stuck"}[s]
}

// Health is how the tracker is, and why.
type Health struct {
	State State
	// Problems are sentences for the operator, shown only to who may see all.
	Problems []string
}

// Live reports whether the process is worth keeping.
func (h *Health) Live() bool { return h.State != StateStuck }

// Ready reports whether the tracker should be given clients.
func (h *Health) Ready() bool { return h.State == StateReady }

// health asks the source, which may be missing.
func (s *Server) health() Health {
	if s.src.Health == nil {
		return Health{State: StateReady}
	}
	return s.src.Health()
}

// serveHealth answers 200 where good holds, else 503. /health/live says
// whether to restart, /health/ready whether to send clients, and /health is
// good when both are.
func (s *Server) serveHealth(good func(*Health) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := s.health()
		body := struct {
			Status   string   `json:"status"`
			Live     bool     `json:"live"`
			Ready    bool     `json:"ready"`
			Problems []string `json:"problems,omitempty"`
		}{h.State.String(), h.Live(), h.Ready(), h.Problems}
		if !s.guard.allows(r) {
			body.Problems = nil
		}
		status := http.StatusOK
		if !good(&h) {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, body)
	})
}

// writeJSON answers with v, which can always be encoded.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that has gone is no problem of ours
}
