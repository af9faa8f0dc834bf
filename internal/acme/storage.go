package acme

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"spate/internal/files"
)

// A storage is the directory for keys and certificates. A file is replaced whole
// or not at all, and belongs to one authority, so that one's certificates are not
// taken for another's. Each is PEM:
//
//	account@AUTHORITY.pem   the account's private key (SEC 1)
//	DOMAIN@AUTHORITY.pem    a certificate's private key (SEC 1), then its chain
//
// The directory is held open, so that it stays within reach when the process
// changes its root directory.
type storage struct {
	path      string
	dir       *os.Root
	authority string
	made      bool // by openStorage
}

const (
	dirMode    = 0o700
	fileMode   = 0o600
	unfinished = ".tmp"
)

// A damagedError is a file's whose content makes no sense.
type damagedError struct{ err error }

func (e *damagedError) Error() string { return "it is damaged: " + e.err.Error() }

// openStorage opens the directory, or makes it, and sees that it can be written.
// The errors name it.
func openStorage(path, authority string, owner *Owner) (*storage, error) {
	s := &storage{path: path, authority: fileName(authority)}
	err := os.Mkdir(path, dirMode)
	if s.made = err == nil; !s.made && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("the directory cannot be made: %w", err)
	}
	if s.dir, err = os.OpenRoot(path); err != nil {
		return nil, fmt.Errorf("the directory cannot be used: %w", err)
	}
	if s.made && owner != nil {
		// By the open directory, which the path may no longer lead to.
		if err := s.dir.Lchown(".", owner.UID, owner.GID); err != nil {
			s.discard()
			return nil, fmt.Errorf("the directory cannot be given away: %w", err)
		}
	}
	const probe = "probe" + unfinished
	if err = s.write(probe, nil); err == nil {
		err = s.dir.Remove(probe)
	}
	if err != nil {
		s.discard()
		return nil, fmt.Errorf("the directory %s cannot be written: %w", path, err)
	}
	return s, nil
}

// fileName makes a file's name of a URL.
func fileName(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, rest)
}

func (s *storage) accountFile() string           { return "account@" + s.authority + ".pem" }
func (s *storage) pairFile(domain string) string { return domain + "@" + s.authority + ".pem" }

// close releases the directory.
func (s *storage) close() {
	if s.dir != nil {
		_ = s.dir.Close() // a directory, opened for reading
	}
}

// discard is close for a storage that was only tried.
func (s *storage) discard() {
	s.close()
	if s.made {
		_ = os.Remove(s.path) // it stays if anybody has put something in meanwhile
	}
}

// loadAccount returns the key of the account, nil where there is none. One that
// is damaged is an error: another one would be another account, and is the
// operator's to decide on.
func (s *storage) loadAccount() (*ecdsa.PrivateKey, error) {
	data, err := s.read(s.accountFile())
	if data == nil {
		return nil, err
	}
	key, _, err := parsePair(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: take it away to have another account", filepath.Join(s.path, s.accountFile()), &damagedError{err})
	}
	return key, nil
}

func (s *storage) saveAccount(key *ecdsa.PrivateKey) error {
	block, err := keyBlock(key)
	if err != nil {
		return err
	}
	return s.replace(s.accountFile(), pem.EncodeToMemory(block))
}

// loadPair returns the certificate of a domain, nil where there is none. The
// error is a damagedError where the file makes no sense.
func (s *storage) loadPair(domain string) (*tls.Certificate, error) {
	data, err := s.read(s.pairFile(domain))
	if data == nil {
		return nil, err
	}
	key, chain, err := parsePair(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.pairFile(domain), &damagedError{err})
	}
	pair, err := newPair(domain, key, chain)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.pairFile(domain), &damagedError{err})
	}
	return pair, nil
}

func (s *storage) savePair(domain string, pair *tls.Certificate) error {
	block, err := keyBlock(pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	data := pem.EncodeToMemory(block)
	for _, der := range pair.Certificate {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return s.replace(s.pairFile(domain), data)
}

func keyBlock(key *ecdsa.PrivateKey) (*pem.Block, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}, nil
}

// parsePair reads a key and the certificates that follow it, if any.
func parsePair(data []byte) (key *ecdsa.PrivateKey, chain [][]byte, err error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "EC PRIVATE KEY" {
		return nil, nil, errors.New("it does not begin with a private key in PEM")
	}
	if key, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
		return nil, nil, err
	}
	for {
		if block, rest = pem.Decode(rest); block == nil {
			return key, chain, nil
		}
		chain = append(chain, block.Bytes)
	}
}

// read returns a file's content, nil without an error where there is no file.
func (s *storage) read(name string) ([]byte, error) {
	data, err := files.ReadRegularIn(s.dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", filepath.Join(s.path, name), err)
	}
	return append([]byte{}, data...), nil // an empty file is not a missing one
}

// replace writes a file that is the old one or the new one, also after a crash.
func (s *storage) replace(name string, data []byte) error {
	err := s.write(name+unfinished, data)
	if err == nil {
		err = s.dir.Rename(name+unfinished, name)
	}
	if err != nil {
		_ = s.dir.Remove(name + unfinished) // err says what went wrong
		return err
	}
	dir, err := s.dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// write makes a file that nobody else can read, whatever had its name.
func (s *storage) write(name string, data []byte) error {
	if err := s.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := s.dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync() // before the rename: a power cut must not leave an empty file
	}
	return errors.Join(err, f.Close())
}
