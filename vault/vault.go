// Package vault stores what must be secret or must be deletable, and therefore is never in the log: the keys that encrypt personal text,
// the key with which names are hashed, API keys, and the outcomes of idempotency keys.
//
// Everything is in one SQLite file. Its keys are encrypted with a master key in a separate file. Without that file neither the vault nor
// any personal text in the log can be read. Back up both with the log, never one without the other.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the driver

	"daybook/internal/recent"
)

// A Vault can be open in several processes on one machine. Each caches keys for as long as it runs.
type Vault struct {
	db     *sqlx.DB   // the one connection that writes
	writer *writer    // uses db
	read   *sqlx.DB   // connections that only read, and so never wait for an fsync
	apiKey *sqlx.Stmt // finds an API key by its id, for every request
	came   *sqlx.Stmt // finds what a request came to
	master cipher.AEAD
	lent   cipher.AEAD // encrypts what callers carry
	rows   []byte      // authenticates rows that grant something
	names  []byte      // the key with which names are hashed; it never changes

	mu           sync.Mutex
	keys         *recent.Map[uuid.UUID, cipher.AEAD] // of persons; nil: destroyed
	asked        time.Time                           // when destructions was last asked
	destructions int
}

// lease is how long a process uses the keys that it remembers before it asks again whether any was destroyed.
const lease = time.Second

// unwrappedKeys is how many decrypted keys of persons are kept in memory, at least.
const unwrappedKeys = 25_000

// format is the version of what is stored. A vault of another one is refused.
const format = "2"

//go:embed schema.sql
var schema string

// Open opens the vault at path. If neither it nor its master key, at path with the extension ".key", exists, it creates both.
func Open(path string) (*Vault, error) {
	db, err := sqlx.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	read, err := sqlx.Open("sqlite", "file:"+path+"?_pragma=query_only(ON)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.SetMaxOpenConns(1)
	read.SetMaxOpenConns(4)
	read.SetMaxIdleConns(4)
	v := &Vault{db: db, read: read, keys: recent.New[uuid.UUID, cipher.AEAD](unwrappedKeys)}
	if err := v.open(path); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the vault %s: %w", path, err), v.Close())
	}
	return v, nil
}

func (v *Vault) open(path string) error {
	if _, err := v.db.Exec(schema); err != nil {
		return err
	}
	var err error
	if v.writer, err = newWriter(v.db, makeKey, keepOutcome); err != nil {
		return err
	}
	if v.came, err = v.read.Preparex("SELECT digest, outcome FROM outcomes WHERE request = ?"); err != nil {
		return err
	}
	if v.apiKey, err = v.read.Preparex("SELECT " + keyColumns + " FROM api_keys WHERE id = ?"); err != nil {
		return err
	}
	var wrapped []byte
	err = v.db.Get(&wrapped, "SELECT value FROM secrets WHERE name = 'names'")
	fresh := errors.Is(err, sql.ErrNoRows)
	if err != nil && !fresh {
		return err
	}
	master, err := masterKey(strings.TrimSuffix(path, ".db")+".key", fresh)
	if err != nil {
		return err
	}
	if v.master, err = aead(master); err != nil {
		return err
	}
	lent, err := hkdf.Key(sha256.New, master, nil, "what callers carry", 32)
	if err != nil {
		return err
	}
	if v.lent, err = aead(lent); err != nil {
		return err
	}
	if v.rows, err = hkdf.Key(sha256.New, master, nil, "rows that grant something", 32); err != nil {
		return err
	}
	if fresh {
		v.names = random(32)
		_, err = v.db.Exec("INSERT INTO secrets (name, value) VALUES ('names', ?), ('format', ?)", v.wrap("names", v.names), []byte(format))
		return err
	}
	var stored []byte
	if err := v.db.Get(&stored, "SELECT value FROM secrets WHERE name = 'format'"); err != nil || string(stored) != format {
		return fmt.Errorf("it is in the format of a version of Daybook before its first release (%q, not %s): start with an empty data folder, and import again", stored, format)
	}
	v.names, err = v.unwrap("names", wrapped)
	return err
}

// masterKey reads the master key, or creates it for a new vault.
func masterKey(path string, fresh bool) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !fresh {
			return nil, fmt.Errorf("the master key %s is missing: put it back from the backup that this vault came from", path)
		}
		key := random(32)
		return key, WriteSecret(path, hex.EncodeToString(key)+"\n")
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("the master key %s is damaged: it must be 64 hexadecimal digits", path)
	}
	return key, nil
}

// WriteSecret writes a file that only its owner can read, completely and durably or not at all.
func WriteSecret(path, secret string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".secret-") // readable by its owner only
	if err != nil {
		return err
	}
	_, err = file.WriteString(secret)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Close closes the vault, once all that was asked of it before is durable.
func (v *Vault) Close() error {
	if v.writer != nil {
		v.writer.close()
	}
	return errors.Join(v.read.Close(), v.db.Close())
}

// Hash implements personal.Hasher: HMAC-SHA-256 under the key of names, in the form of a UUID of version 8.
func (v *Vault) Hash(space string, parts ...string) uuid.UUID {
	mac := hmac.New(sha256.New, v.names)
	writeParts(mac, space, parts)
	id := uuid.UUID(mac.Sum(nil)[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// mac authenticates a row of a table.
func (v *Vault) mac(table string, columns ...[]byte) []byte {
	mac := hmac.New(sha256.New, v.rows)
	writeParts(mac, table, columns)
	return mac.Sum(nil)
}

// writeParts writes parts with their lengths, so that no two lists of parts are one.
func writeParts[P string | []byte](mac hash.Hash, space string, parts []P) {
	var length [8]byte
	write := func(part []byte) {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write(part)
	}
	write([]byte(space))
	for _, part := range parts {
		write([]byte(part))
	}
}

// wrap encrypts a key with the master key, bound to its name.
func (v *Vault) wrap(name string, key []byte) []byte {
	return v.master.Seal(nil, nil, key, []byte(name))
}

func (v *Vault) unwrap(name string, wrapped []byte) ([]byte, error) {
	key, err := v.master.Open(nil, nil, wrapped, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("the key of %s cannot be decrypted: the master key belongs to another vault", name)
	}
	return key, nil
}

// Seal encrypts a text for a caller to carry and hand back, but neither read nor change. The result can be part of a URL.
func (v *Vault) Seal(text string) string {
	return base64.RawURLEncoding.EncodeToString(v.lent.Seal(nil, nil, []byte(text), nil))
}

// Unseal decrypts what Seal returned; ok is false for anything else.
func (v *Vault) Unseal(sealed string) (text string, ok bool) {
	data, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return "", false
	}
	plain, err := v.lent.Open(nil, nil, data, nil)
	return string(plain), err == nil
}

func aead(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
