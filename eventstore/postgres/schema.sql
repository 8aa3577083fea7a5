-- The log. Only the writers of this package change these tables.

CREATE TABLE identity (
	one    boolean PRIMARY KEY CHECK (one),
	log    uuid    NOT NULL, -- made with the tables: positions of one log mean nothing in another
	format integer NOT NULL  -- of these tables
);

-- Who may write: the process that came last. Whoever takes over makes the epoch larger, and each commit holds this row and
-- proves that the epoch is still its own.
CREATE TABLE lease (
	one   boolean     PRIMARY KEY CHECK (one),
	epoch bigint      NOT NULL,
	since timestamptz NOT NULL
);

CREATE TABLE events (
	position    bigint      PRIMARY KEY, -- from 1, without gaps, in the order of commits
	stream      text        NOT NULL,
	revision    bigint      NOT NULL, -- from 0, without gaps
	id          uuid        NOT NULL,
	type        text        NOT NULL,
	data        bytea       NOT NULL,
	meta        bytea       NOT NULL,
	recorded_at timestamptz NOT NULL,
	UNIQUE (stream, revision)
);

-- Followers of other processes need not wait until they look again.
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify(TG_TABLE_SCHEMA, '');
	RETURN NULL;
END $$;

CREATE TRIGGER told AFTER INSERT ON events EXECUTE FUNCTION tell();
