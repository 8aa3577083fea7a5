CREATE TABLE secrets (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;

-- The key of each person, wrapped by the master key. Once the person is forgotten, nothing is wrapped: that too is authenticated.
CREATE TABLE persons (
	subject TEXT PRIMARY KEY,
	wrapped BLOB NOT NULL
) WITHOUT ROWID;

-- How often keys of persons were destroyed, so that other processes notice.
CREATE TABLE destructions (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	n   INTEGER NOT NULL
);
INSERT INTO destructions (one, n) VALUES (1, 0);

CREATE TABLE api_keys (
	id         TEXT PRIMARY KEY,
	name       BLOB NOT NULL, -- sealed under the key of its subject
	role       TEXT NOT NULL,
	agent      TEXT NOT NULL, -- the agent who acts with it, or the nil id
	hash       BLOB NOT NULL, -- SHA-256 of the secret, which has full entropy
	created_at TEXT NOT NULL,
	revoked_at TEXT NOT NULL DEFAULT '',
	recorded   INTEGER NOT NULL DEFAULT 0, -- how many of its events are in the log: created, revoked
	mac        BLOB NOT NULL -- of all this
) WITHOUT ROWID;

-- What each request with an idempotency key came to.
CREATE TABLE outcomes (
	request BLOB PRIMARY KEY,  -- the keyed hash of the principal and the idempotency key
	digest  TEXT NOT NULL,     -- the keyed hash of route, path and body
	at      INTEGER NOT NULL,  -- seconds since 1970
	refused INTEGER NOT NULL,
	outcome TEXT NOT NULL,     -- JSON
	checksum INTEGER NOT NULL  -- of all this
) WITHOUT ROWID;
CREATE INDEX outcomes_by_age ON outcomes (at);

-- The log that the vault belongs to, and an event up to which it has every key.
CREATE TABLE noted (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	log      TEXT NOT NULL,
	position INTEGER NOT NULL,
	stream   TEXT NOT NULL,
	revision INTEGER NOT NULL,
	event    TEXT NOT NULL,
	checksum INTEGER NOT NULL -- of all this
);

-- Whose keys were given up, and of whom the log does not tell that yet.
CREATE TABLE lost (
	subject TEXT PRIMARY KEY
) WITHOUT ROWID;

-- Pictures and the like, each sealed under the key of the person whom it is about.
CREATE TABLE blobs (
	id      TEXT PRIMARY KEY,
	subject TEXT NOT NULL,
	box     BLOB NOT NULL
);
CREATE INDEX blobs_by_subject ON blobs (subject);
