CREATE TABLE IF NOT EXISTS secrets (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;

-- The key of each person, wrapped by the master key; empty once the person is forgotten.
CREATE TABLE IF NOT EXISTS persons (
	subject TEXT PRIMARY KEY,
	wrapped BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS api_keys (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL,
	role       TEXT NOT NULL,
	agent      TEXT NOT NULL, -- the agent who acts with it, or the nil id
	hash       BLOB NOT NULL, -- SHA-256 of the secret, which has full entropy
	created_at TEXT NOT NULL,
	revoked_at TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- The outcome of each idempotency key.
CREATE TABLE IF NOT EXISTS requests (
	principal TEXT NOT NULL,
	key       TEXT NOT NULL,
	digest    TEXT NOT NULL,    -- of method, path and body
	begun_at  INTEGER NOT NULL, -- seconds since 1970
	outcome   TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (principal, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_by_age ON requests (begun_at);
