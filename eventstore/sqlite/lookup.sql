-- Where each stream's events are in the log, which is another file. This file can be deleted: opening the log makes it anew.
--
-- It is believed only as far as the log agrees with it. The checksums prove what the log cannot show: that there is no such
-- stream, and which event is a stream's last. They are CRC-32C of the log's id and the other columns of their row.

CREATE TABLE lookup.covered (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	log      TEXT    NOT NULL, -- its identity
	position INTEGER NOT NULL, -- up to which the other tables are complete
	event    BLOB    NOT NULL, -- the id of the event at that position
	checksum INTEGER NOT NULL
) STRICT;

-- The names of all streams form a ring, sorted by their hashes: no name has a hash between that of a row and that of its next.
CREATE TABLE lookup.names (
	hash     BLOB    PRIMARY KEY, -- the first 16 bytes of the name's SHA-256
	next     BLOB    NOT NULL,
	stream   INTEGER NOT NULL, -- its number; 0 in the first row, which is no stream's
	checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lookup.ends (
	stream   INTEGER PRIMARY KEY,
	revision INTEGER NOT NULL, -- of its last event
	checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE lookup.revisions (
	stream   INTEGER NOT NULL, -- its number
	revision INTEGER NOT NULL, -- from 0, without gaps
	position INTEGER NOT NULL,
	PRIMARY KEY (stream, revision)
) STRICT, WITHOUT ROWID;
