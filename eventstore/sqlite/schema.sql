-- The log. Only the writer of this package changes these tables, and it only adds to them.

CREATE TABLE identity (
	one     INTEGER PRIMARY KEY CHECK (one = 1),
	log     TEXT    NOT NULL, -- a UUID, made with the file: positions of one log mean nothing in another
	format  INTEGER NOT NULL, -- of these tables
	indexed INTEGER NOT NULL  -- position up to which revisions is complete
) STRICT;

CREATE TABLE streams (
	id   INTEGER PRIMARY KEY,
	name TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE log (
	position    INTEGER PRIMARY KEY, -- from 1, without gaps, in the order of commits
	stream      INTEGER NOT NULL REFERENCES streams (id),
	revision    INTEGER NOT NULL, -- from 0, without gaps in its stream
	id          BLOB    NOT NULL, -- a UUID, 16 bytes
	type        TEXT    NOT NULL,
	data        BLOB, -- NULL is empty
	meta        BLOB, -- NULL is empty
	recorded_at INTEGER NOT NULL -- microseconds since 1970, UTC
) STRICT;

-- Where a stream's events are. An index of log would touch a page for every event; this is written for some thousand events
-- at once, in order, and so costs a tenth. Until then the writer knows them.
CREATE TABLE revisions (
	stream   INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (stream, revision)
) STRICT, WITHOUT ROWID;

-- The log for people: sqlite3 FILE "SELECT * FROM events LIMIT 10".
CREATE VIEW events AS
SELECT log.position,
       streams.name AS stream,
       log.revision,
       lower(hex(log.id)) AS id,
       log.type,
       CAST(log.data AS TEXT) AS data,
       CAST(log.meta AS TEXT) AS meta,
       strftime('%Y-%m-%dT%H:%M:%S', log.recorded_at / 1000000, 'unixepoch')
           || printf('.%06dZ', log.recorded_at % 1000000) AS recorded_at
FROM log
JOIN streams ON streams.id = log.stream;
