-- Whom to tell of changes. Address and signing key are sealed.
CREATE TABLE webhooks (
    id             TEXT    PRIMARY KEY,
    environment_id TEXT    NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    kind           TEXT    NOT NULL,
    secret_path    TEXT    NOT NULL,
    url            BLOB    NOT NULL,
    signing_key    BLOB,
    events         TEXT    NOT NULL,
    disabled       INTEGER NOT NULL,
    last_status    TEXT,
    last_error     TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_by_environment ON webhooks (environment_id);

-- What is still to be told, one row for each webhook. A number is never used again: it is a part of what receivers know
-- doubles by.
CREATE TABLE webhook_deliveries (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id  TEXT    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    secret_path TEXT    NOT NULL,
    occurrence  TEXT    NOT NULL,
    happened_at INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    due_at      INTEGER NOT NULL,
    lease_until INTEGER
) STRICT;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at, seq);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, lease_until);
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (lease_until) WHERE lease_until IS NOT NULL;
