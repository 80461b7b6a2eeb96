-- What is told once, however often and by however many nodes it is found: the last time of each subject, a key or a
-- rotation.
CREATE TABLE notices (
    event   TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    mark    INTEGER NOT NULL,
    PRIMARY KEY (event, subject)
) STRICT;
-- What is there already is no news.
INSERT INTO notices (event, subject, mark)
    SELECT DISTINCT 'secrets.key-suspect', access_key_id, 0 FROM managed_keys
    WHERE state IN ('orphan_suspect', 'unmanaged');

-- Each attempt to tell a webhook something; the latest of each are kept.
CREATE TABLE deliveries (
    id          TEXT    PRIMARY KEY,
    webhook_id  TEXT    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event       TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    duration    INTEGER NOT NULL,
    http_status INTEGER,
    error       TEXT
) STRICT;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, at, id);

-- Attempts that failed. `attempts` counts claims: one that a crash broke off is none that failed.
ALTER TABLE webhook_deliveries ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
UPDATE webhook_deliveries SET failures = attempts;
