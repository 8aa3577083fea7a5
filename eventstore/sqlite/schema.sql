-- The log. Only the writer of this package changes these tables, and it only adds to them.
--
-- Checksums are CRC-32C of the log's id and of the other columns of their row.

CREATE TABLE identity (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	log    TEXT    NOT NULL, -- a UUID, made with the file: positions of one log mean nothing in another
	format INTEGER NOT NULL  -- of these tables
) STRICT;

-- Recording times never go back, whatever the clock does.
CREATE TABLE settled (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	at       INTEGER NOT NULL, -- microseconds since 1970, UTC: no further event is recorded before it
	checksum INTEGER NOT NULL
) STRICT;

-- A row is up to 32 events that were committed together, in the order of their positions.
CREATE TABLE log (
	last        INTEGER PRIMARY KEY, -- position of its last event; positions go from 1, without gaps, in the order of commits
	recorded_at INTEGER NOT NULL, -- microseconds since 1970, UTC; never less than in the row before
	heads       BLOB    NOT NULL, -- 60 bytes of text for each event: the view below takes them apart
	bodies      BLOB    NOT NULL, -- for each event its id (a UUID, 16 bytes), type, data, metadata, and if it is its stream's first, the stream's name
	checksum    INTEGER NOT NULL
) STRICT;

-- The places in a row of log.
CREATE TABLE places (place INTEGER PRIMARY KEY) STRICT;
WITH RECURSIVE p (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM p WHERE n < 31)
INSERT INTO places SELECT n FROM p;

-- The heads of all events, as numbers.
CREATE VIEW heads AS
SELECT last - length(heads) / 60 + 1 + place AS position,
       CAST(substr(heads, 60 * place + 1, 14) AS INTEGER) AS stream, -- the position of its first event
       CAST(substr(heads, 60 * place + 15, 10) AS INTEGER) AS revision,
       CAST(substr(heads, 60 * place + 25, 8) AS INTEGER) AS body, -- where it begins, from 0
       CAST(substr(heads, 60 * place + 33, 8) AS INTEGER) AS type_size,
       CAST(substr(heads, 60 * place + 41, 8) AS INTEGER) AS data_size,
       CAST(substr(heads, 60 * place + 49, 8) AS INTEGER) AS meta_size,
       CAST(substr(heads, 60 * place + 57, 4) AS INTEGER) AS name_size,
       last
FROM log
CROSS JOIN places ON place < length(heads) / 60;

-- The log in readable form: sqlite3 FILE "SELECT * FROM events LIMIT 10".
CREATE VIEW events AS
SELECT heads.position,
       CAST(substr(founding.bodies, first.body + 17 + first.type_size + first.data_size + first.meta_size, first.name_size) AS TEXT) AS stream,
       heads.revision,
       lower(hex(substr(log.bodies, heads.body + 1, 16))) AS id,
       CAST(substr(log.bodies, heads.body + 17, heads.type_size) AS TEXT) AS type,
       CAST(substr(log.bodies, heads.body + 17 + heads.type_size, heads.data_size) AS TEXT) AS data,
       CAST(substr(log.bodies, heads.body + 17 + heads.type_size + heads.data_size, heads.meta_size) AS TEXT) AS meta,
       strftime('%Y-%m-%dT%H:%M:%S', log.recorded_at / 1000000, 'unixepoch')
           || printf('.%06dZ', log.recorded_at % 1000000) AS recorded_at
FROM heads
CROSS JOIN log ON log.last = heads.last
CROSS JOIN log AS founding ON founding.last = (SELECT last FROM log WHERE last >= heads.stream ORDER BY last LIMIT 1)
CROSS JOIN heads AS first ON first.last = founding.last AND first.position = heads.stream;
