-- What an owner may say beyond the contract: retirement terms, use of keys, and the history of runs.
ALTER TABLE managed_keys ADD COLUMN terms TEXT;
ALTER TABLE managed_keys ADD COLUMN last_used TEXT;
ALTER TABLE managed_keys ADD COLUMN use_checked_at INTEGER;
ALTER TABLE managed_keys ADD COLUMN use_waits_since INTEGER;
ALTER TABLE rotations ADD COLUMN policy TEXT;

-- One row per run; the newest of each user are kept. A rotation that was never made may have runs.
CREATE TABLE runs (
    id          TEXT    PRIMARY KEY,
    user_id     TEXT    NOT NULL REFERENCES managed_users (id),
    rotation_id TEXT,
    fence       INTEGER NOT NULL,
    node        TEXT    NOT NULL,
    goal        TEXT    NOT NULL,
    author      TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     TEXT,
    code        TEXT,
    message     TEXT,
    steps       TEXT    NOT NULL
) STRICT;
CREATE INDEX runs_by_rotation ON runs (rotation_id, id);
CREATE INDEX runs_by_user ON runs (user_id, id);
