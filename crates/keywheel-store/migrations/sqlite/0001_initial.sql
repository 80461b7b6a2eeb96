-- First schema. Ids are UUIDs as text, times are milliseconds since 1970 in UTC, JSON is text, sealed values
-- are blobs. Every constraint that may be hurt in normal use is listed in src/sql/faults.rs.

-- Values that are kept once per instance.
CREATE TABLE instance_settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE organizations (
    id         TEXT    PRIMARY KEY,
    name       TEXT    NOT NULL,
    slug       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
    id            TEXT    PRIMARY KEY,
    email         TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    super_admin   INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

-- Who may call -------------------------------------------------------------------------------------------

CREATE TABLE identities (
    id                TEXT    PRIMARY KEY,
    organization_id   TEXT    NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name              TEXT    NOT NULL,
    role              TEXT    NOT NULL,
    metadata          TEXT    NOT NULL,
    delete_protection INTEGER NOT NULL,
    token_auth        INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
) STRICT;
CREATE INDEX identities_by_organization ON identities (organization_id, name);

CREATE TABLE universal_auths (
    id                        TEXT    PRIMARY KEY,
    identity_id               TEXT    NOT NULL UNIQUE REFERENCES identities (id) ON DELETE CASCADE,
    client_id                 TEXT    NOT NULL UNIQUE,
    client_secret_trusted_ips TEXT    NOT NULL,
    access_token_trusted_ips  TEXT    NOT NULL,
    access_token_ttl          INTEGER NOT NULL,
    access_token_max_ttl      INTEGER NOT NULL,
    access_token_uses_limit   INTEGER NOT NULL,
    access_token_period       INTEGER NOT NULL,
    lockout_enabled           INTEGER NOT NULL,
    lockout_threshold         INTEGER NOT NULL,
    lockout_duration          INTEGER NOT NULL,
    lockout_counter_reset     INTEGER NOT NULL,
    failed_logins             INTEGER NOT NULL DEFAULT 0,
    failed_at                 INTEGER,
    locked_until              INTEGER,
    created_at                INTEGER NOT NULL,
    updated_at                INTEGER NOT NULL
) STRICT;

CREATE TABLE client_secrets (
    id                TEXT    PRIMARY KEY,
    universal_auth_id TEXT    NOT NULL REFERENCES universal_auths (id) ON DELETE CASCADE,
    hash              BLOB    NOT NULL,
    prefix            TEXT    NOT NULL,
    description       TEXT    NOT NULL,
    uses              INTEGER NOT NULL,
    uses_limit        INTEGER NOT NULL,
    ttl               INTEGER NOT NULL,
    revoked           INTEGER NOT NULL,
    last_used_at      INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
) STRICT;
CREATE INDEX client_secrets_by_prefix ON client_secrets (universal_auth_id, prefix);

CREATE TABLE tokens (
    id               TEXT    PRIMARY KEY,
    identity_id      TEXT    NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    client_secret_id TEXT    REFERENCES client_secrets (id) ON DELETE CASCADE,
    ttl              INTEGER NOT NULL,
    max_ttl          INTEGER NOT NULL,
    period           INTEGER NOT NULL,
    expires_at       INTEGER,
    uses             INTEGER NOT NULL,
    uses_limit       INTEGER NOT NULL,
    revoked          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    renewed_at       INTEGER
) STRICT;
CREATE INDEX tokens_by_identity ON tokens (identity_id);
CREATE INDEX tokens_by_client_secret ON tokens (client_secret_id);
CREATE INDEX tokens_by_end ON tokens (expires_at);

-- The tree that secrets are in ---------------------------------------------------------------------------

CREATE TABLE projects (
    id                   TEXT    PRIMARY KEY,
    organization_id      TEXT    NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name                 TEXT    NOT NULL,
    slug                 TEXT    NOT NULL,
    description          TEXT,
    delete_protection    INTEGER NOT NULL,
    auto_capitalization  INTEGER NOT NULL,
    audit_retention_days INTEGER,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    CONSTRAINT projects_slug_key UNIQUE (organization_id, slug)
) STRICT;

CREATE TABLE memberships (
    id          TEXT    PRIMARY KEY,
    project_id  TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    identity_id TEXT    NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    roles       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    CONSTRAINT memberships_key UNIQUE (project_id, identity_id)
) STRICT;
CREATE INDEX memberships_by_identity ON memberships (identity_id);

CREATE TABLE environments (
    id         TEXT    PRIMARY KEY,
    project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    slug       TEXT    NOT NULL,
    position   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT environments_slug_key UNIQUE (project_id, slug)
) STRICT;

-- `path` is the full path; a range of it is everything below a folder.
CREATE TABLE folders (
    id             TEXT    PRIMARY KEY,
    environment_id TEXT    NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    parent_id      TEXT    REFERENCES folders (id) ON DELETE CASCADE,
    path           TEXT    NOT NULL,
    description    TEXT,
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    CONSTRAINT folders_path_key UNIQUE (environment_id, path)
) STRICT;
CREATE INDEX folders_by_parent ON folders (parent_id);

CREATE TABLE connections (
    id               TEXT    PRIMARY KEY,
    organization_id  TEXT    NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    project_id       TEXT    REFERENCES projects (id) ON DELETE CASCADE,
    name             TEXT    NOT NULL,
    description      TEXT,
    method           TEXT    NOT NULL,
    credentials      BLOB    NOT NULL,
    credentials_hash TEXT    NOT NULL,
    config           TEXT    NOT NULL,
    version          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX connections_name_key ON connections (organization_id, COALESCE(project_id, ''), name);
CREATE INDEX connections_by_project ON connections (project_id);

-- The engine's record ------------------------------------------------------------------------------------

-- `due_at` is the only thing that the scheduler looks for.
CREATE TABLE managed_users (
    id            TEXT    PRIMARY KEY,
    partition     TEXT    NOT NULL,
    account       TEXT    NOT NULL,
    user_id       TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    arn           TEXT    NOT NULL,
    region        TEXT    NOT NULL,
    connection_id TEXT    REFERENCES connections (id) ON DELETE SET NULL,
    settles_at    INTEGER,
    unfinished    TEXT,
    failures      INTEGER NOT NULL,
    due_at        INTEGER,
    lease_node    TEXT,
    lease_until   INTEGER,
    fence         INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT managed_users_key UNIQUE (partition, account, user_id)
) STRICT;
CREATE INDEX managed_users_due ON managed_users (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX managed_users_by_connection ON managed_users (connection_id);
CREATE INDEX managed_users_leased ON managed_users (lease_node) WHERE lease_node IS NOT NULL;

CREATE TABLE intents (
    id            TEXT    PRIMARY KEY,
    user_id       TEXT    NOT NULL REFERENCES managed_users (id),
    fence         INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    access_key_id TEXT,
    snapshot      TEXT    NOT NULL,
    opened_at     INTEGER NOT NULL,
    call_deadline INTEGER NOT NULL,
    outcome       TEXT,
    closed_at     INTEGER
) STRICT;
CREATE UNIQUE INDEX intents_open_key ON intents (user_id) WHERE outcome IS NULL;
CREATE INDEX intents_by_kind ON intents (user_id, kind, opened_at);

-- Rows are never removed; those of ended keys keep no secret.
CREATE TABLE managed_keys (
    user_id        TEXT    NOT NULL REFERENCES managed_users (id),
    access_key_id  TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    origin         TEXT    NOT NULL,
    proof          TEXT,
    secret         BLOB,
    aws_status     TEXT    NOT NULL,
    aws_created_at INTEGER,
    first_seen_at  INTEGER NOT NULL,
    verified_at    INTEGER,
    published_at   INTEGER,
    displaced_at   INTEGER,
    deactivated_at INTEGER,
    ended_at       INTEGER,
    held           TEXT,
    settles_at     INTEGER,
    explained_by   TEXT    REFERENCES intents (id),
    PRIMARY KEY (user_id, access_key_id)
) STRICT;
CREATE INDEX managed_keys_by_end ON managed_keys (user_id, ended_at);

-- A rotation and its two secrets point at each other; the secrets' side is checked at the end of a transaction.
CREATE TABLE rotations (
    id                          TEXT    PRIMARY KEY,
    folder_id                   TEXT    NOT NULL REFERENCES folders (id),
    user_id                     TEXT    NOT NULL REFERENCES managed_users (id),
    connection_id               TEXT    NOT NULL REFERENCES connections (id),
    name                        TEXT    NOT NULL,
    description                 TEXT,
    user_name                   TEXT    NOT NULL,
    region                      TEXT    NOT NULL,
    automatic                   INTEGER NOT NULL,
    interval_days               INTEGER NOT NULL,
    rotate_at_hours             REAL    NOT NULL,
    rotate_at_minutes           REAL    NOT NULL,
    access_key_id_secret_id     TEXT    NOT NULL REFERENCES secrets (id),
    secret_access_key_secret_id TEXT    NOT NULL REFERENCES secrets (id),
    slot_0                      TEXT,
    slot_1                      TEXT,
    active_slot                 INTEGER NOT NULL,
    status                      TEXT    NOT NULL,
    last_message                TEXT,
    last_job                    TEXT,
    last_attempted_at           INTEGER NOT NULL,
    last_rotated_at             INTEGER NOT NULL,
    last_manual                 INTEGER NOT NULL,
    anchor_at                   INTEGER NOT NULL,
    slot_at                     INTEGER,
    next_attempt_at             INTEGER,
    failures                    INTEGER NOT NULL,
    revoking                    INTEGER NOT NULL,
    created_at                  INTEGER NOT NULL,
    updated_at                  INTEGER NOT NULL,
    CONSTRAINT rotations_name_key UNIQUE (folder_id, name),
    CONSTRAINT rotations_user_key UNIQUE (user_id)
) STRICT;
CREATE INDEX rotations_by_connection ON rotations (connection_id);
CREATE INDEX rotations_by_access_key_id_secret ON rotations (access_key_id_secret_id);
CREATE INDEX rotations_by_secret_access_key_secret ON rotations (secret_access_key_secret_id);

-- `version` is the number of the current row in `secret_versions`.
CREATE TABLE secrets (
    id                      TEXT    PRIMARY KEY,
    folder_id               TEXT    NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
    name                    TEXT    NOT NULL,
    version                 INTEGER NOT NULL,
    comment                 BLOB,
    metadata                TEXT    NOT NULL,
    skip_multiline_encoding INTEGER,
    reminder_note           TEXT,
    reminder_days           INTEGER,
    rotation_id             TEXT    REFERENCES rotations (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    CONSTRAINT secrets_name_key UNIQUE (folder_id, name)
) STRICT;
CREATE INDEX secrets_by_rotation ON secrets (rotation_id) WHERE rotation_id IS NOT NULL;

-- `value` goes when the access key that it belongs to has ended.
CREATE TABLE secret_versions (
    id            TEXT    PRIMARY KEY,
    secret_id     TEXT    NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    value         BLOB,
    author        TEXT    NOT NULL,
    access_key_id TEXT,
    created_at    INTEGER NOT NULL,
    CONSTRAINT secret_versions_key UNIQUE (secret_id, number)
) STRICT;
CREATE INDEX secret_versions_by_access_key ON secret_versions (access_key_id) WHERE access_key_id IS NOT NULL;
