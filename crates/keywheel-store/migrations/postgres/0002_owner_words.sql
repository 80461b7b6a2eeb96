-- What an owner may say beyond the contract: retirement terms, use of keys, and the history of runs.
ALTER TABLE managed_keys ADD COLUMN terms text;
ALTER TABLE managed_keys ADD COLUMN last_used text;
ALTER TABLE managed_keys ADD COLUMN use_checked_at bigint;
ALTER TABLE managed_keys ADD COLUMN use_waits_since bigint;
ALTER TABLE rotations ADD COLUMN policy text;

-- One row per run; the newest of each user are kept. A rotation that was never made may have runs.
CREATE TABLE runs (
    id          text    PRIMARY KEY,
    user_id     text    NOT NULL REFERENCES managed_users (id),
    rotation_id text,
    fence       bigint NOT NULL,
    node        text    NOT NULL,
    goal        text    NOT NULL,
    author      text    NOT NULL,
    started_at  bigint NOT NULL,
    ended_at    bigint,
    outcome     text,
    code        text,
    message     text,
    steps       text    NOT NULL
);
CREATE INDEX runs_by_rotation ON runs (rotation_id, id);
CREATE INDEX runs_by_user ON runs (user_id, id);
