-- The audit log. A row is a record; an entry is one record, or two: what was begun, and how it ended. What counts
-- is `body`; the columns after it are copies, for finding it, and only records that begin an entry have them.
CREATE TABLE audit_records (
    seq         BIGINT PRIMARY KEY,
    hash        BYTEA  NOT NULL,
    entry_id    TEXT   NOT NULL,
    part        TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    body        TEXT   NOT NULL,
    event       TEXT,
    project_id  TEXT,
    environment TEXT,
    secret_path TEXT,
    secret_key  TEXT,
    actor_type  TEXT,
    actor_id    TEXT,
    user_agent  TEXT,
    CONSTRAINT audit_records_key UNIQUE (entry_id, part)
);
CREATE INDEX audit_records_by_time ON audit_records (at, seq) WHERE event IS NOT NULL;
CREATE INDEX audit_records_by_event ON audit_records (event, at, seq) WHERE event IS NOT NULL;
CREATE INDEX audit_records_by_project ON audit_records (project_id, at, seq) WHERE project_id IS NOT NULL;
CREATE INDEX audit_records_by_actor ON audit_records (actor_id, at, seq) WHERE actor_id IS NOT NULL;

-- Both ends of the chain: the newest record, and the last one that is not kept any more, with a proof that it was
-- the server that forgot it.
CREATE TABLE audit_chain (
    id          BIGINT PRIMARY KEY CHECK (id = 1),
    head_seq    BIGINT NOT NULL,
    head_hash   BYTEA  NOT NULL,
    start_seq   BIGINT NOT NULL,
    start_hash  BYTEA  NOT NULL,
    start_proof BYTEA
);
INSERT INTO audit_chain (id, head_seq, head_hash, start_seq, start_hash)
    VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'));

-- A second guard, against mistakes: whoever may change the schema can take it away, and the chain tells.
CREATE FUNCTION audit_records_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'audit records are never changed';
    END IF;
    IF OLD.seq > (SELECT start_seq FROM audit_chain) THEN
        RAISE EXCEPTION 'audit records are deleted by their retention only';
    END IF;
    RETURN OLD;
END;
$$;
CREATE TRIGGER audit_records_stay_as_they_are BEFORE UPDATE OR DELETE ON audit_records
    FOR EACH ROW EXECUTE FUNCTION audit_records_stay();
