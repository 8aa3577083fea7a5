package vault

import (
	"bytes"
	"cmp"
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
)

// A Master says where the master key is. The text there is one key of 64 hexadecimal digits, or several, divided by white space, while
// the first one takes the place of the others.
type Master struct {
	File string // read again when a key is met that it did not have; made for a new vault unless Given
	// Given is the text itself, which comes From somewhere else.
	Given, From string
	// Provided says that the file is somebody else's: it must be there.
	Provided bool
}

// MasterFile is a master key in a file, which is made for a new vault.
func MasterFile(path string) Master { return Master{File: path} }

// Name returns the place as messages name it.
func (m Master) Name() string { return cmp.Or(m.From, m.File) }

// Keys returns the keys in hexadecimal.
func (m Master) Keys() ([]string, error) {
	text := m.Given
	if text == "" {
		data, err := os.ReadFile(m.File)
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	keys := strings.Fields(text)
	for _, k := range keys {
		if b, err := hex.DecodeString(k); err != nil || len(b) != 32 {
			keys = nil
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("the master key %s is damaged: it must be 64 hexadecimal digits", m.Name())
	}
	return keys, nil
}

// Write replaces the keys in the file.
func (m Master) Write(keys ...string) error {
	return WriteSecret(m.File, strings.Join(keys, "\n")+"\n")
}

// NewMasterKey returns a random key in hexadecimal.
func NewMasterKey() string { return hex.EncodeToString(random(32)) }

// masters are the master keys of a process.
type masters struct {
	from Master
	mu   sync.Mutex
	keys []*master
	uses []byte // the id of the one that wraps, as the vault says
}

// A master is one master key. Its id is part of what it wraps and authenticates.
type master struct {
	id   []byte
	wrap cipher.AEAD
	rows []byte // authenticates rows that grant something
}

const masterIDSize = 8

func newMaster(key []byte) (*master, error) {
	id, err := hkdf.Key(sha256.New, key, nil, "id of a master key", masterIDSize)
	if err != nil {
		return nil, err
	}
	rows, err := hkdf.Key(sha256.New, key, nil, "rows that grant something", 32)
	if err != nil {
		return nil, err
	}
	wrap, err := aead(key)
	return &master{id, wrap, rows}, err
}

// read reads the keys again.
func (m *masters) read(fresh bool) error {
	texts, err := m.from.Keys()
	if errors.Is(err, fs.ErrNotExist) {
		if !fresh || m.from.Provided {
			return fmt.Errorf("the master key %s is missing: put it back from the backup that this vault came from", m.from.Name())
		}
		texts = []string{NewMasterKey()}
		err = m.from.Write(texts...)
	}
	if err != nil {
		return err
	}
	keys := make([]*master, len(texts))
	for i, text := range texts {
		key, err := hex.DecodeString(text)
		if err == nil {
			keys[i], err = newMaster(key)
		}
		if err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = keys
	return nil
}

// use says which master key wraps from now on.
func (m *masters) use(id []byte) error {
	key, err := m.find(id)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.uses = key.id
	return nil
}

// current returns the master key that wraps.
func (m *masters) current() (*master, error) {
	m.mu.Lock()
	id := m.uses
	m.mu.Unlock()
	return m.find(id)
}

// first returns the master key that is to wrap.
func (m *masters) first() *master {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys[0]
}

// of returns the master key under which something is stored, and the rest of that.
func (m *masters) of(stored []byte) (*master, []byte, error) {
	if len(stored) < masterIDSize {
		return nil, nil, damage("it names no master key")
	}
	key, err := m.find(stored[:masterIDSize])
	return key, stored[masterIDSize:], err
}

// find returns a master key by its id. If it has none, it reads them again.
func (m *masters) find(id []byte) (*master, error) {
	for again := false; ; again = true {
		m.mu.Lock()
		i := slices.IndexFunc(m.keys, func(k *master) bool { return bytes.Equal(k.id, id) })
		keys := m.keys
		m.mu.Unlock()
		if i >= 0 {
			return keys[i], nil
		}
		if again || m.read(false) != nil {
			return nil, fmt.Errorf("the master key %s belongs to another vault, or was replaced: the key with the id %x is needed too. Add it there", m.from.Name(), id)
		}
	}
}

// RotateMaster wraps everything under the first of the master keys, of which there must be two or more. Other processes can go on
// meanwhile, if they have the new key, or find it where theirs comes from. When it returns, no other key is needed.
func (v *Vault) RotateMaster(ctx context.Context) error {
	if err := v.masters.read(false); err != nil {
		return err
	}
	to := v.masters.first()
	// From here on, no process wraps under another: see fresh.
	err := v.writer.commit(ctx, func(tx tx) error {
		if _, err := tx.exec("UPDATE destructions SET n = n + 1"); err != nil {
			return err
		}
		_, err := tx.exec("UPDATE secrets SET value = ? WHERE name = 'master'", to.id)
		return err
	})
	if err != nil {
		return failed("rotating the master key", err)
	}
	for {
		changed, err := v.rewrap(ctx, to)
		if err != nil {
			return failed("rotating the master key", err)
		}
		if changed == 0 {
			return v.backend.scrub(ctx, v.db)
		}
	}
}

// rewrap wraps and authenticates anew what is under other master keys, and returns how much that was.
func (v *Vault) rewrap(ctx context.Context, to *master) (changed int, err error) {
	const some = 500 // so that nobody waits for long
	for after, more := "", true; more; {
		err := v.writer.commit(ctx, func(tx tx) error {
			var rows []struct {
				Subject string
				Wrapped []byte
			}
			if err := tx.Select(&rows, tx.Rebind("SELECT subject, wrapped FROM persons WHERE subject > ? ORDER BY subject LIMIT ?"), after, some); err != nil {
				return err
			}
			more = len(rows) == some
			for _, r := range rows {
				after = r.Subject
				if bytes.HasPrefix(r.Wrapped, to.id) {
					continue
				}
				anew, err := v.wrapAnew(to, r.Subject, r.Wrapped)
				if err != nil {
					return err
				}
				// Another process may have destroyed it at this moment.
				n, err := tx.exec("UPDATE persons SET wrapped = ? WHERE subject = ? AND wrapped = ?", anew, r.Subject, r.Wrapped)
				if err != nil {
					return err
				}
				changed += int(n)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	err = v.writer.commit(ctx, func(tx tx) error {
		var names []byte
		if err := tx.get(&names, "SELECT value FROM secrets WHERE name = 'names'"); err != nil {
			return err
		}
		if !bytes.HasPrefix(names, to.id) {
			anew, err := v.wrapAnew(to, "names", names)
			if err != nil {
				return err
			}
			if _, err := tx.exec("UPDATE secrets SET value = ? WHERE name = 'names'", anew); err != nil {
				return err
			}
			changed++
		}
		var rows []keyRow
		if err := tx.Select(&rows, "SELECT "+keyColumns+" FROM api_keys"); err != nil {
			return err
		}
		for _, r := range rows {
			if ok, err := v.authentic(r); err != nil || !ok || bytes.HasPrefix(r.MAC, to.id) { // what was altered stays so
				if err != nil {
					return err
				}
				continue
			}
			if _, err := tx.exec("UPDATE api_keys SET mac = ? WHERE id = ? AND mac = ?", macOf(to, r), r.ID, r.MAC); err != nil {
				return err
			}
			changed++
		}
		return nil
	})
	return changed, err
}

func (v *Vault) wrapAnew(to *master, name string, wrapped []byte) ([]byte, error) {
	key, err := v.unwrap(name, wrapped)
	if err != nil {
		return nil, err
	}
	return to.seal(name, key), nil
}

// seal wraps a key, bound to its name.
func (m *master) seal(name string, key []byte) []byte {
	return m.wrap.Seal(slices.Clone(m.id), nil, key, []byte(name))
}

// fresh sees to it that a transaction knows of every destruction, and uses the current master key. A rotation waits until the
// transactions before it have ended.
func (v *Vault) fresh(t tx) error {
	var is struct {
		N      int
		Master []byte
	}
	if err := t.get(&is, v.backend.state()); err != nil {
		return err
	}
	if err := v.masters.use(is.Master); err != nil {
		return err
	}
	v.noticed(is.N)
	return nil
}
