-- The journal: one row an event, append-only, a hash chain from the first row to the last.
-- A person may read it with the sqlite3 shell; nobody may change it.
CREATE TABLE event (
    seq   INTEGER PRIMARY KEY,  -- 1, 2, 3, ... without a gap; alone orders the journal
    at    INTEGER NOT NULL,     -- wall clock as read, nanoseconds UTC; may go back
    type  TEXT NOT NULL,        -- the event's tag, for ever
    key   TEXT,                 -- natural identity within the type, where there is one
    trace INTEGER,              -- seq of the root this event follows from; NULL for a root
    cause INTEGER,              -- seq of the event that led to this one; NULL for a root
    body  TEXT NOT NULL,        -- the event as JSON, its tag under "type"
    hash  BLOB NOT NULL         -- sha256 over the previous row's hash and this row
) STRICT;

CREATE UNIQUE INDEX event_identity ON event (type, key) WHERE key IS NOT NULL;
CREATE INDEX event_trace ON event (trace) WHERE trace IS NOT NULL;

-- REPLACE would delete a row without firing the delete trigger, so an insert must extend the
-- journal by exactly one and must not meet an identity that is already there.
CREATE TRIGGER event_appends_only BEFORE INSERT ON event
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event)
  OR NEW.key IS NOT NULL AND EXISTS (SELECT 1 FROM event WHERE type = NEW.type AND key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: an event extends it by one and is new'); END;

CREATE TRIGGER event_never_changes BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: events never change'); END;

CREATE TRIGGER event_never_goes BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: events are never deleted'); END;
