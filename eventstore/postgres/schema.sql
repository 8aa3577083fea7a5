-- The log. Only the writers of this package change these tables.

CREATE TABLE identity (
	one    boolean PRIMARY KEY CHECK (one),
	log    uuid    NOT NULL, -- made with the tables: positions of one log mean nothing in another
	format integer NOT NULL  -- of these tables
);

-- Whoever writes locks this row: it is their turn until they have committed.
CREATE TABLE turn (
	one     boolean     PRIMARY KEY CHECK (one),
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
	checksum    bigint      NOT NULL, -- CRC-32C of the log's id and what the writer knew, XORed with what it did not: the position and recorded_at (see append)
	UNIQUE (stream, revision)
);

-- Writes a batch of events if its streams are where the writer believes. Otherwise it returns where they are, and writes nothing. It
-- also returns where the log ended before, and whether it had moved since the writer knew it last.
CREATE FUNCTION append(
	head bigint, newest uuid,        -- the position and the id of the event at which the log ended when the writer knew it last
	asked text[], believed bigint[], -- the streams, and the revisions at which the writer believes them to be, -1 if they have no event
	unsure integer,                  -- so many of them, the first, it does not know from then
	streams text[], revisions bigint[], ids uuid[], types text[],                -- of each event
	carried bytea, places integer[], lengths integer[], meta_lengths integer[], -- data and metadata as one value: an array of them is slow to read
	checksums bigint[],
	clock timestamptz                -- NULL: the server's
) RETURNS TABLE (ended bigint, moved boolean, actual bigint[]) LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz;
	was record;
BEGIN
	-- What follows sees all that was committed by those whose turn it was before. So whoever locks this row later knows of every event
	-- with an earlier time.
	SELECT settled INTO STRICT at FROM turn FOR UPDATE;
	SELECT position, id, recorded_at INTO was FROM events ORDER BY position DESC LIMIT 1;
	ended := coalesce(was.position, 0);
	moved := was.position IS DISTINCT FROM head OR was.id IS DISTINCT FROM newest; -- others wrote, or the log has lost its end
	IF moved THEN
		unsure := cardinality(asked);
	END IF;
	actual := ARRAY(
		SELECT coalesce((SELECT e.revision FROM events e WHERE e.stream = s.stream ORDER BY e.revision DESC LIMIT 1), -1)
		FROM unnest(asked[:unsure]) WITH ORDINALITY AS s (stream, n) ORDER BY s.n);
	IF actual = believed[:unsure] THEN
		actual := NULL;
		at := greatest(coalesce(clock, clock_timestamp()), at, was.recorded_at); -- it never goes back
		INSERT INTO events (position, stream, revision, id, type, data, meta, recorded_at, checksum)
		SELECT ended + e.n, e.stream, e.revision, e.id, e.type, substring(carried, e.place, e.length), substring(carried, e.place + e.length, e.meta_length), at,
			e.checksum # (extract(epoch FROM at) * 1000000)::bigint # ((ended + e.n) << 24)
		FROM unnest(streams, revisions, ids, types, places, lengths, meta_lengths, checksums)
			WITH ORDINALITY AS e (stream, revision, id, type, place, length, meta_length, checksum, n);
	END IF;
	RETURN NEXT;
END $$;
