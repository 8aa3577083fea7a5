CREATE TABLE secrets (
	name  TEXT COLLATE "C" PRIMARY KEY,
	value BYTEA NOT NULL
);

-- The key of each person, wrapped by the master key. Once the person is forgotten, nothing is wrapped: that too is authenticated.
CREATE TABLE persons (
	subject TEXT COLLATE "C" PRIMARY KEY,
	wrapped BYTEA NOT NULL
);

-- How often keys of persons were destroyed, so that other processes notice.
CREATE TABLE destructions (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	n   BIGINT NOT NULL
);
INSERT INTO destructions (one, n) VALUES (1, 0);

CREATE TABLE api_keys (
	id         TEXT COLLATE "C" PRIMARY KEY,
	name       BYTEA NOT NULL, -- sealed under the key of its subject
	role       TEXT NOT NULL,
	agent      TEXT COLLATE "C" NOT NULL, -- the agent who acts with it, or the nil id
	hash       BYTEA NOT NULL, -- SHA-256 of the secret, which has full entropy
	created_at TEXT COLLATE "C" NOT NULL,
	revoked_at TEXT COLLATE "C" NOT NULL DEFAULT '',
	recorded   INTEGER NOT NULL DEFAULT 0, -- how many of its events are in the log: created, revoked
	mac        BYTEA NOT NULL -- of all this
);

-- What each request with an idempotency key came to.
CREATE TABLE outcomes (
	request BYTEA PRIMARY KEY,  -- the keyed hash of the principal and the idempotency key
	digest  TEXT NOT NULL,      -- the keyed hash of route, path and body
	at      BIGINT NOT NULL,    -- seconds since 1970
	refused BOOLEAN NOT NULL,
	outcome TEXT NOT NULL,      -- JSON
	checksum BIGINT NOT NULL    -- of all this
);
CREATE INDEX outcomes_by_age ON outcomes (at);

-- The log that the vault belongs to, and an event up to which it has every key.
CREATE TABLE noted (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	log      TEXT NOT NULL,
	position BIGINT NOT NULL,
	stream   TEXT NOT NULL,
	revision BIGINT NOT NULL,
	event    TEXT NOT NULL,
	checksum BIGINT NOT NULL -- of all this
);

-- Whose keys were given up, and of whom the log does not tell that yet.
CREATE TABLE lost (
	subject TEXT COLLATE "C" PRIMARY KEY
);

-- Pictures and the like, each sealed under the key of the person whom it is about.
CREATE TABLE blobs (
	id      TEXT COLLATE "C" PRIMARY KEY,
	subject TEXT COLLATE "C" NOT NULL,
	box     BYTEA NOT NULL
);
CREATE INDEX blobs_by_subject ON blobs (subject);
