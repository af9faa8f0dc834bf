package acme

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// An authority issues certificates over ACME. It checks no signatures: that is
// what the end-to-end tests have a real one for.
type authority struct {
	*httptest.Server
	t     *testing.T
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	offer string                   // the challenge
	look  func(token string) error // the authority's look at the challenge

	mu       sync.Mutex    // guards the rest
	life     time.Duration // of certificates
	now      time.Time
	refuse   *problem         // what orders are answered with
	down     bool             // it closes every connection
	instead  http.HandlerFunc // answers every request, if there is one
	wrong    bool             // it certifies another name
	accounts map[string]bool
	orders   map[string]*testOrder
	asked    int // orders, refused ones too
	nonce    int
	stale    int // nonces that it will not know
}

type problem struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Detail string `json:"detail"`

	retryAfter string
}

type testOrder struct {
	domain string
	failed *problem // of its challenge
	valid  bool     // its authorization is
	chain  []byte
}

func newAuthority(t *testing.T, offer string) *authority {
	t.Helper()
	a := &authority{
		t: t, offer: offer, now: time.Now().Truncate(time.Second), life: 90 * 24 * time.Hour,
		look: func(string) error { return nil }, accounts: map[string]bool{}, orders: map[string]*testOrder{},
	}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: a.now.Add(-time.Hour), NotAfter: a.now.Add(1000 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

// set changes what the authority does.
func (a *authority) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// count returns how many orders came.
func (a *authority) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		panic(http.ErrAbortHandler)
	}
	if a.instead != nil {
		a.instead(w, r)
		return
	}
	a.nonce++
	w.Header().Set("Replay-Nonce", fmt.Sprint("n", a.nonce))
	switch r.URL.Path {
	case "/dir":
		dir := map[string]string{}
		for _, name := range []string{"newNonce", "newAccount", "newOrder"} {
			dir[name] = a.URL + "/" + name
		}
		a.reply(w, http.StatusOK, dir)
		return
	case "/newNonce":
		return
	}
	payload, ok := a.open(w, r)
	if !ok {
		return
	}
	kind, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	o := a.orders[id]
	switch kind {
	case "newAccount":
		w.Header().Set("Location", a.URL+"/account/1")
		a.reply(w, http.StatusCreated, map[string]string{"status": "valid"})
	case "newOrder":
		a.order(w, payload)
	case "order":
		a.reply(w, http.StatusOK, a.describe(id, o))
	case "authz":
		a.reply(w, http.StatusOK, a.authorization(id, o))
	case "challenge":
		if err := a.look("token" + id); err != nil {
			o.failed = &problem{Status: 403, Type: "urn:ietf:params:acme:error:unauthorized", Detail: err.Error()}
		}
		o.valid = o.failed == nil
		a.reply(w, http.StatusOK, map[string]string{"type": a.offer, "url": a.URL + "/challenge/" + id, "token": "token" + id, "status": "processing"})
	case "finalize":
		a.issue(o, payload)
		a.reply(w, http.StatusOK, a.describe(id, o))
	case "cert":
		_, _ = w.Write(o.chain)
	default:
		http.NotFound(w, r)
	}
}

// open takes the payload out of a request.
func (a *authority) open(w http.ResponseWriter, r *http.Request) (payload []byte, ok bool) {
	var jws struct{ Protected, Payload string }
	if err := json.NewDecoder(r.Body).Decode(&jws); err != nil {
		a.t.Error(err)
	}
	header, _ := base64.RawURLEncoding.DecodeString(jws.Protected)
	payload, _ = base64.RawURLEncoding.DecodeString(jws.Payload)
	var protected struct{ JWK json.RawMessage }
	if err := json.Unmarshal(header, &protected); err != nil {
		a.t.Error(err)
	}
	if protected.JWK != nil {
		a.accounts[string(protected.JWK)] = true
	}
	if a.stale > 0 {
		a.stale--
		a.fail(w, &problem{Status: 400, Type: "urn:ietf:params:acme:error:badNonce", Detail: "stale"})
		return nil, false
	}
	return payload, true
}

func (a *authority) order(w http.ResponseWriter, payload []byte) {
	a.asked++
	if a.refuse != nil {
		a.fail(w, a.refuse)
		return
	}
	var order struct {
		Identifiers []struct{ Value string }
	}
	if err := json.Unmarshal(payload, &order); err != nil {
		a.t.Error(err)
	}
	id := fmt.Sprint(a.asked)
	a.orders[id] = &testOrder{domain: order.Identifiers[0].Value}
	w.Header().Set("Location", a.URL+"/order/"+id)
	a.reply(w, http.StatusCreated, a.describe(id, a.orders[id]))
}

func (a *authority) describe(id string, o *testOrder) map[string]any {
	status := "pending"
	switch {
	case o.failed != nil:
		status = "invalid"
	case o.chain != nil:
		status = "valid"
	case o.valid:
		status = "ready"
	}
	return map[string]any{
		"status": status, "identifiers": []map[string]string{{"type": "dns", "value": o.domain}},
		"authorizations": []string{a.URL + "/authz/" + id}, "finalize": a.URL + "/finalize/" + id, "certificate": a.URL + "/cert/" + id,
	}
}

func (a *authority) authorization(id string, o *testOrder) map[string]any {
	status := "pending"
	challenge := map[string]any{"type": a.offer, "url": a.URL + "/challenge/" + id, "token": "token" + id, "status": "pending"}
	switch {
	case o.failed != nil:
		status, challenge["error"] = "invalid", o.failed
	case o.valid:
		status = "valid"
	}
	return map[string]any{
		"status": status, "identifier": map[string]string{"type": "dns", "value": o.domain}, "challenges": []any{challenge},
	}
}

func (a *authority) issue(o *testOrder, payload []byte) {
	var finalize struct{ CSR string }
	if err := json.Unmarshal(payload, &finalize); err != nil {
		a.t.Error(err)
	}
	der, _ := base64.RawURLEncoding.DecodeString(finalize.CSR)
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		a.t.Error(err)
		return
	}
	names := csr.DNSNames
	if a.wrong {
		names = []string{"other.example"}
	}
	o.chain = a.sign(csr.PublicKey, names, a.now, a.now.Add(a.life))
}

// sign returns a certificate and the authority's own in PEM.
func (a *authority) sign(key any, names []string, from, to time.Time) []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(a.nonce) + 2), DNSNames: names, NotBefore: from, NotAfter: to}
	leaf, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		a.t.Error(err)
	}
	var b bytes.Buffer
	for _, der := range [][]byte{leaf, a.cert.Raw} {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return b.Bytes()
}

func (a *authority) fail(w http.ResponseWriter, p *problem) {
	if p.retryAfter != "" {
		w.Header().Set("Retry-After", p.retryAfter)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	a.reply(w, p.Status, p)
}

func (a *authority) reply(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		a.t.Error(err)
	}
}
