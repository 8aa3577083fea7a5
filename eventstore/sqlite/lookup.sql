-- The positions of each stream's events in the log, which is another file. This file can be deleted: opening the log rebuilds it.

CREATE TABLE lookup.covered (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	log      TEXT    NOT NULL, -- its identity
	position INTEGER NOT NULL  -- up to which revisions is complete
) STRICT;

CREATE TABLE lookup.revisions (
	stream   INTEGER NOT NULL, -- its number
	revision INTEGER NOT NULL, -- from 0, without gaps
	position INTEGER NOT NULL,
	PRIMARY KEY (stream, revision)
) STRICT, WITHOUT ROWID;
