// Package vault stores what must be secret or must be deletable, and therefore is never in the log: the keys that encrypt personal text,
// the key with which names are hashed, API keys, and the outcomes of idempotency keys.
//
// Everything is in one SQLite file, or in a schema of a PostgreSQL database. Its keys are encrypted with a master key in a separate file. Without that file neither the vault nor
// any personal text in the log can be read. Back up both with the log, never one without the other.
package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/internal/pgconn"
	"daybook/internal/recent"
)

// A Vault can be open in several processes. Each caches keys, and asks within a second whether any was destroyed.
type Vault struct {
	backend backend
	masters *masters
	db      *sqlx.DB    // the one connection that writes
	writer  *writer     // uses db
	read    *sqlx.DB    // connections that only read, and so never wait for an fsync
	apiKey  *sqlx.Stmt  // finds an API key by its id
	came    *sqlx.Stmt  // finds what a request came to
	person  *sqlx.Stmt  // finds the key of a person
	lent    cipher.AEAD // encrypts what callers carry
	names   []byte      // the key with which names are hashed; it never changes
	doors   doors

	mu           sync.Mutex
	keys         *recent.Map[uuid.UUID, cipher.AEAD] // of persons; nil: destroyed
	asked        time.Time                           // when destructions was last asked
	destructions int
}

// lease is how long a process uses the keys that it remembers before it asks again whether any was destroyed.
const lease = time.Second

// unwrappedKeys is how many decrypted keys of persons are kept in memory, at least.
const unwrappedKeys = 12_000

// format is the version of what is stored. A vault of another one is refused.
const format = "4" // no single bit makes an earlier one of it

// A backend is what differs between the databases that a vault can be in.
type backend interface {
	// name is the place as messages name it, without a password.
	name() string
	exists(ctx context.Context) (bool, error)
	// made reports whether the tables are there.
	made(ctx context.Context, read *sqlx.DB) (bool, error)
	// open returns a connection that writes, and connections that only read. Statements have ? for each argument, and are rebound.
	open(ctx context.Context) (write, read *sqlx.DB, err error)
	// create creates the tables, if there are none, in a transaction that no other process has at the same time.
	create(ctx context.Context, tx *sqlx.Tx) (created bool, err error)
	// check returns an error if tables and indexes are not as they were written, as far as that shows without a key.
	check(ctx context.Context, read *sqlx.DB) error
	// state is the statement that reads the state below in a transaction. Whoever changes it waits until that has ended.
	state() string
	// waits is the statement after which a connection's commits wait for the disk, or do not. At first they do.
	waits(forDisk bool) string
	// scrub overwrites destroyed keys, as far as the database can.
	scrub(ctx context.Context, write *sqlx.DB) error
}

// state is how often keys were destroyed, and the id of the master key that wraps.
const state = "SELECT n, (SELECT value FROM secrets WHERE name = 'master') AS master FROM destructions"

// Open opens the vault in a SQLite file. If neither it nor its master key, in a file with the extension ".key", exists, it creates both.
func Open(path string) (*Vault, error) {
	return OpenAt(context.Background(), path, MasterFile(strings.TrimSuffix(path, ".db")+".key"))
}

// OpenAt opens the vault in a SQLite file, or in a PostgreSQL database (postgres://…). If neither it nor its master key exists, it
// creates both.
func OpenAt(ctx context.Context, database string, from Master) (*Vault, error) {
	b, err := at(database)
	if err != nil {
		return nil, err
	}
	v := &Vault{backend: b, masters: &masters{from: from}, keys: recent.New[uuid.UUID, cipher.AEAD](unwrappedKeys)}
	if v.db, v.read, err = b.open(ctx); err != nil {
		return nil, fmt.Errorf("opening the vault %s: %w", b.name(), err)
	}
	for _, db := range []*sqlx.DB{v.db, v.read} {
		connections := 4
		if db == v.db {
			connections = 1
		}
		db.SetMaxOpenConns(connections)
		db.SetMaxIdleConns(connections)
	}
	if err := v.open(ctx); err != nil {
		return nil, errors.Join(failed("opening the vault "+b.name(), err), v.Close())
	}
	return v, nil
}

func at(database string) (backend, error) {
	if !InPostgreSQL(database) {
		return sqlite{database}, nil
	}
	address, err := pgconn.Parse(database)
	if err != nil {
		return nil, fmt.Errorf("the vault's address: %w", err)
	}
	return postgres{address}, nil
}

// Exists reports whether there is a vault in a database.
func Exists(ctx context.Context, database string) (bool, error) {
	b, err := at(database)
	if err != nil {
		return false, err
	}
	there, err := b.exists(ctx)
	if err != nil {
		err = fmt.Errorf("looking for the vault %s: %w", b.name(), err)
	}
	return there, err
}

// InPostgreSQL reports whether a database is in PostgreSQL.
func InPostgreSQL(database string) bool {
	scheme, _, isURL := strings.Cut(database, "://")
	return isURL && (scheme == "postgres" || scheme == "postgresql")
}

func (v *Vault) open(ctx context.Context) error {
	if err := v.unlock(ctx); err != nil {
		return err
	}
	var err error
	if v.writer, err = newWriter(v.db, v.backend.waits, v.fresh, makeKey, keepOutcome); err != nil {
		return err
	}
	if v.came, err = prepare(v.read, readOutcome); err != nil {
		return err
	}
	if v.person, err = prepare(v.read, "SELECT wrapped FROM persons WHERE subject = ?"); err != nil {
		return err
	}
	v.apiKey, err = prepare(v.read, "SELECT "+keyColumns+" FROM api_keys WHERE id = ?")
	return err
}

// unlock reads the secrets of the vault, and makes them for a new one. It writes to no other, so that it can be opened while another
// process is suspended in the middle of a change.
func (v *Vault) unlock(ctx context.Context) error {
	if err := v.backend.check(ctx, v.read); err != nil { // before anything is written
		return err
	}
	made, err := v.backend.made(ctx, v.read)
	if err != nil {
		return err
	}
	if !made {
		return v.create(ctx)
	}
	begun, err := v.read.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer begun.Rollback()
	return v.readSecrets(tx{Tx: begun})
}

// create creates the vault, unless another process has just done so.
func (v *Vault) create(ctx context.Context) error {
	begun, err := begin(ctx, v.db)
	if err != nil {
		return err
	}
	defer begun.Rollback()
	t := tx{Tx: begun}
	if fresh, err := v.backend.create(ctx, begun); err != nil {
		return err
	} else if !fresh {
		return v.readSecrets(t)
	}
	if err := v.masters.read(true); err != nil {
		return err
	}
	v.names = random(32)
	if err := v.deriveLent(); err != nil {
		return err
	}
	master := v.masters.first()
	if _, err := t.Exec(t.Rebind("INSERT INTO secrets (name, value) VALUES ('names', ?), ('format', ?), ('master', ?)"), master.seal("names", v.names), []byte(format), master.id); err != nil {
		return err
	}
	none := Noted{}
	if _, err := t.Exec(t.Rebind("INSERT INTO noted (one, log, position, stream, revision, event, checksum) VALUES (1, ?, 0, '', 0, ?, ?)"), none.Log.String(), none.ID.String(), none.checksum()); err != nil {
		return err
	}
	if err := v.masters.use(master.id); err != nil {
		return err
	}
	return begun.Commit()
}

// readSecrets reads the secrets of a vault that exists.
func (v *Vault) readSecrets(t tx) error {
	secret := func(name string) (value []byte, err error) {
		err = t.get(&value, "SELECT value FROM secrets WHERE name = ?", name)
		return value, err
	}
	switch stored, err := secret("format"); {
	case err != nil:
		return err
	case string(stored) == "1", string(stored) == "2":
		return fmt.Errorf("it is in the format of a version of Daybook before its first release (%q, not %s): start with an empty data folder, and import again", stored, format)
	case string(stored) != format:
		return fmt.Errorf("it is in the format %q: use the newer version of Daybook that wrote it. If there was none, %w", stored, ErrDamaged)
	}
	if err := v.masters.read(false); err != nil {
		return err
	}
	wrapped, err := secret("names")
	if err != nil {
		return err
	}
	uses, err := secret("master")
	if err == nil {
		err = v.masters.use(uses)
	}
	if err != nil {
		return err
	}
	if v.names, err = v.unwrap("names", wrapped); err != nil {
		return err
	}
	return v.deriveLent()
}

// deriveLent derives the key of what callers carry. It stays when the master key changes.
func (v *Vault) deriveLent() error {
	key, err := hkdf.Key(sha256.New, v.names, nil, "what callers carry", 32)
	if err == nil {
		v.lent, err = aead(key)
	}
	return err
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

// mac authenticates a row of a table under a master key, whose id comes first.
func (m *master) mac(table string, columns ...[]byte) []byte {
	mac := hmac.New(sha256.New, m.rows)
	writeParts(mac, table, columns)
	return mac.Sum(slices.Clone(m.id))
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
func (v *Vault) wrap(name string, key []byte) ([]byte, error) {
	master, err := v.masters.current()
	if err != nil {
		return nil, err
	}
	return master.seal(name, key), nil
}

func (v *Vault) unwrap(name string, wrapped []byte) ([]byte, error) {
	master, sealed, err := v.masters.of(wrapped)
	if err != nil {
		return nil, err
	}
	key, err := master.wrap.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return nil, damage("the key of " + name + " cannot be decrypted")
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
