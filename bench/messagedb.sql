-- What message-db does with a message (github.com/message-db/message-db, 1.3), written anew after its description: one call,
-- one transaction, one message, and a lock for all streams of a category. Left out is what only costs it more: its own
-- functions for a category's name and a stream's version, and the correlated category in the third index.

CREATE SCHEMA message_store;

CREATE TABLE message_store.messages (
	global_position bigserial PRIMARY KEY,
	position        bigint    NOT NULL,
	time            timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
	stream_name     text      NOT NULL,
	type            text      NOT NULL,
	data            jsonb,
	metadata        jsonb,
	id              uuid      NOT NULL
);

CREATE UNIQUE INDEX ON message_store.messages (id);
CREATE UNIQUE INDEX ON message_store.messages (stream_name, position);
CREATE INDEX ON message_store.messages (split_part(stream_name, '-', 1), global_position);

CREATE FUNCTION message_store.write_message(_id text, _stream text, _type text, _data jsonb, _metadata jsonb, _expected bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	_version bigint;
BEGIN
	PERFORM pg_advisory_xact_lock(left('x' || md5(split_part(_stream, '-', 1)), 17)::bit(64)::bigint);
	SELECT coalesce(max(position), -1) INTO _version FROM message_store.messages WHERE stream_name = _stream;
	IF _expected <> _version THEN
		RAISE EXCEPTION 'stream % is at version %, not %', _stream, _version, _expected;
	END IF;
	INSERT INTO message_store.messages (id, stream_name, position, type, data, metadata)
	VALUES (_id::uuid, _stream, _version + 1, _type, _data, _metadata);
	RETURN _version + 1;
END $$;
