-- People. An account has an identity of its own, which carries its rights; accounts of before get theirs when somebody
-- signs in. An empty password hash is no password. The secret of one-time codes is sealed; it counts once a code has been
-- used. A one-time link is kept as the hash of its token.
ALTER TABLE accounts ADD COLUMN identity_id TEXT REFERENCES identities (id) ON DELETE CASCADE;
ALTER TABLE accounts ADD COLUMN totp_secret BLOB;
ALTER TABLE accounts ADD COLUMN totp_step INTEGER;
ALTER TABLE accounts ADD COLUMN link_hash TEXT;
ALTER TABLE accounts ADD COLUMN link_expires_at INTEGER;
CREATE UNIQUE INDEX accounts_by_identity ON accounts (identity_id);
CREATE UNIQUE INDEX accounts_by_link ON accounts (link_hash);

-- What is known of an access token that somebody signed in for, beside its own row.
CREATE TABLE sessions (
    id           TEXT    PRIMARY KEY REFERENCES tokens (id) ON DELETE CASCADE,
    account_id   TEXT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    ip_address   TEXT    NOT NULL,
    user_agent   TEXT,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_account ON sessions (account_id);
