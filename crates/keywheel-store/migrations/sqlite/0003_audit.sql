-- The audit log. A row is a record; an entry is one record, or two: what was begun, and how it ended. What counts
-- is `body`; the columns after it are copies, for finding it, and only records that begin an entry have them.
CREATE TABLE audit_records (
    seq         INTEGER PRIMARY KEY,
    hash        BLOB    NOT NULL,
    entry_id    TEXT    NOT NULL,
    part        TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    body        TEXT    NOT NULL,
    event       TEXT,
    project_id  TEXT,
    environment TEXT,
    secret_path TEXT,
    secret_key  TEXT,
    actor_type  TEXT,
    actor_id    TEXT,
    user_agent  TEXT,
    CONSTRAINT audit_records_key UNIQUE (entry_id, part)
) STRICT;
CREATE INDEX audit_records_by_time ON audit_records (at, seq) WHERE event IS NOT NULL;
CREATE INDEX audit_records_by_event ON audit_records (event, at, seq) WHERE event IS NOT NULL;
CREATE INDEX audit_records_by_project ON audit_records (project_id, at, seq) WHERE project_id IS NOT NULL;
CREATE INDEX audit_records_by_actor ON audit_records (actor_id, at, seq) WHERE actor_id IS NOT NULL;

-- Both ends of the chain: the newest record, and the last one that is not kept any more, with a proof that it was
-- the server that forgot it.
CREATE TABLE audit_chain (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    head_seq    INTEGER NOT NULL,
    head_hash   BLOB    NOT NULL,
    start_seq   INTEGER NOT NULL,
    start_hash  BLOB    NOT NULL,
    start_proof BLOB
) STRICT;
INSERT INTO audit_chain (id, head_seq, head_hash, start_seq, start_hash) VALUES (1, 0, zeroblob(32), 0, zeroblob(32));

-- A second guard, against mistakes: whoever may change the schema can take it away, and the chain tells.
CREATE TRIGGER audit_records_stay_as_they_are BEFORE UPDATE ON audit_records
BEGIN
    SELECT RAISE(ABORT, 'audit records are never changed');
END;
CREATE TRIGGER audit_records_go_oldest_first BEFORE DELETE ON audit_records
WHEN OLD.seq > (SELECT start_seq FROM audit_chain)
BEGIN
    SELECT RAISE(ABORT, 'audit records are deleted by their retention only');
END;
