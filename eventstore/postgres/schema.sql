-- The log. Only the writers of this package change these tables.

CREATE TABLE identity (
	one    boolean PRIMARY KEY CHECK (one),
	log    uuid    NOT NULL, -- made with the tables: positions of one log mean nothing in another
	format integer NOT NULL  -- of these tables
);

-- The lease of the process that may write. A process that takes over raises the epoch. Each commit locks this row and
-- proves its epoch.
CREATE TABLE lease (
	one   boolean     PRIMARY KEY CHECK (one),
	epoch bigint      NOT NULL,
	settled timestamptz NOT NULL -- no further event is recorded before it
);

CREATE TABLE events (
	position    bigint      PRIMARY KEY, -- from 1, without gaps, in the order of commits
	stream      text COLLATE "C" NOT NULL, -- no other collation is the same for ever, and an index relies on that
	revision    bigint      NOT NULL, -- from 0, without gaps
	id          uuid        NOT NULL,
	type        text COLLATE "C" NOT NULL,
	data        bytea       NOT NULL,
	meta        bytea       NOT NULL,
	recorded_at timestamptz NOT NULL, -- never earlier than that of the event before
	checksum    bigint      NOT NULL, -- CRC-32C of the log's id and the other columns but recorded_at, with whose microseconds it is XORed
	UNIQUE (stream, revision)
);

-- Wakes the subscriptions of other processes.
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify(TG_TABLE_SCHEMA, '');
	RETURN NULL;
END $$;

CREATE TRIGGER told AFTER INSERT ON events EXECUTE FUNCTION tell();
