package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spate/internal/files"
)

// writeTestPair writes a new pair for a name. The times of its files are given,
// since two writes may fall into one tick of the file system's clock.
func writeTestPair(t *testing.T, f CertificateFiles, name string, modified time.Time, keyToo bool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(0, 0).Add(1000 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path, kind string, der []byte) {
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	write(f.Chain, "CERTIFICATE", der)
	if keyToo {
		write(f.Key, "PRIVATE KEY", keyDER)
	}
}

// TestCertificatesOfNoFile: a FIFO that nobody writes into does not keep a reload
// waiting, nor does a device without an end.
func TestCertificatesOfNoFile(t *testing.T) {
	dir := t.TempDir()
	f := CertificateFiles{Chain: filepath.Join(dir, "crt"), Key: filepath.Join(dir, "key")}
	for _, exchange := range []func(path string) error{
		func(path string) error { return syscall.Mkfifo(path, 0o600) },
		func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		for _, path := range []string{f.Chain, f.Key} {
			writeTestPair(t, f, "one.test", time.Unix(1, 0), true)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := exchange(path); err != nil {
				t.Fatal(err)
			}
			if _, err := loadPair(f); !errors.Is(err, files.ErrNotRegular) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want %v with the path", err, files.ErrNotRegular)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLook: changed files are loaded once they stay the same, a bad pair is reported once and not
// used, and expiry is warned about twice a day.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	f := CertificateFiles{Chain: filepath.Join(dir, "crt"), Key: filepath.Join(dir, "key")}
	day := func(n int) time.Time { return time.Unix(0, 0).Add(time.Duration(n) * 24 * time.Hour) }
	writeTestPair(t, f, "one.test", day(1), true)
	var log bytes.Buffer
	c, err := loadCertificates([]CertificateFiles{f}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	step := func(now time.Time, serves string, says ...string) {
		t.Helper()
		log.Reset()
		c.look(now)
		c.look(now)
		if got := c.list()[0].Names[0]; got != serves {
			t.Errorf("%s is served, want %s", got, serves)
		}
		if lines := strings.Count(log.String(), "\n"); lines != len(says) {
			t.Errorf("%d lines, want %d:\n%s", lines, len(says), log.String())
		}
		for _, want := range says {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, log.String())
			}
		}
	}
	step(day(1), "one.test")
	writeTestPair(t, f, "two.test", day(2), false)
	step(day(2), "one.test", "does not match")
	step(day(2), "one.test")
	writeTestPair(t, f, "two.test", day(2).Add(time.Hour), false)
	log.Reset()
	if c.look(day(2)); log.Len() > 0 { // the key is still to come
		t.Errorf("half a pair was tried:\n%s", log.String())
	}
	writeTestPair(t, f, "two.test", day(3), true)
	step(day(3), "two.test", "certificate loaded")
	step(day(3), "two.test")
	step(day(990), "two.test", "days=10")
	step(day(990).Add(time.Hour), "two.test")
	step(day(1001), "two.test", "has expired")
	if err := os.Remove(f.Key); err != nil {
		t.Fatal(err)
	}
	step(day(1001), "two.test", "no such file")
}
