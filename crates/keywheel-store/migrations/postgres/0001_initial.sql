-- First schema. Ids are UUIDs as text, times are milliseconds since 1970 in UTC, JSON is text, sealed values
-- are byte strings. Texts by which rows are ordered or ranged have the collation "C": byte order, as in
-- SQLite. Every constraint that may be hurt in normal use is listed in src/sql/faults.rs.

-- Values that are kept once per instance.
CREATE TABLE instance_settings (
    name  TEXT  PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE organizations (
    id         TEXT    PRIMARY KEY,
    name       TEXT    NOT NULL,
    slug       TEXT    NOT NULL,
    created_at BIGINT  NOT NULL
);

CREATE TABLE accounts (
    id            TEXT    PRIMARY KEY,
    email         TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    super_admin   BOOLEAN NOT NULL,
    created_at    BIGINT  NOT NULL
);

-- Who may call -------------------------------------------------------------------------------------------

CREATE TABLE identities (
    id                TEXT    PRIMARY KEY,
    organization_id   TEXT    NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name              TEXT    NOT NULL,
    role              TEXT    NOT NULL,
    metadata          TEXT    NOT NULL,
    delete_protection BOOLEAN NOT NULL,
    token_auth        BOOLEAN NOT NULL,
    created_at        BIGINT  NOT NULL,
    updated_at        BIGINT  NOT NULL
);
CREATE INDEX identities_by_organization ON identities (organization_id, name);

CREATE TABLE universal_auths (
    id                        TEXT    PRIMARY KEY,
    identity_id               TEXT    NOT NULL UNIQUE REFERENCES identities (id) ON DELETE CASCADE,
    client_id                 TEXT    NOT NULL UNIQUE,
    client_secret_trusted_ips TEXT    NOT NULL,
    access_token_trusted_ips  TEXT    NOT NULL,
    access_token_ttl          BIGINT  NOT NULL,
    access_token_max_ttl      BIGINT  NOT NULL,
    access_token_uses_limit   BIGINT  NOT NULL,
    access_token_period       BIGINT  NOT NULL,
    lockout_enabled           BOOLEAN NOT NULL,
    lockout_threshold         BIGINT  NOT NULL,
    lockout_duration          BIGINT  NOT NULL,
    lockout_counter_reset     BIGINT  NOT NULL,
    failed_logins             BIGINT  NOT NULL DEFAULT 0,
    failed_at                 BIGINT,
    locked_until              BIGINT,
    created_at                BIGINT  NOT NULL,
    updated_at                BIGINT  NOT NULL
);

CREATE TABLE client_secrets (
    id                TEXT    PRIMARY KEY,
    universal_auth_id TEXT    NOT NULL REFERENCES universal_auths (id) ON DELETE CASCADE,
    hash              BYTEA   NOT NULL,
    prefix            TEXT    NOT NULL,
    description       TEXT    NOT NULL,
    uses              BIGINT  NOT NULL,
    uses_limit        BIGINT  NOT NULL,
    ttl               BIGINT  NOT NULL,
    revoked           BOOLEAN NOT NULL,
    last_used_at      BIGINT,
    created_at        BIGINT  NOT NULL,
    updated_at        BIGINT  NOT NULL
);
CREATE INDEX client_secrets_by_prefix ON client_secrets (universal_auth_id, prefix);

CREATE TABLE tokens (
    id               TEXT    PRIMARY KEY,
    identity_id      TEXT    NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    client_secret_id TEXT    REFERENCES client_secrets (id) ON DELETE CASCADE,
    ttl              BIGINT  NOT NULL,
    max_ttl          BIGINT  NOT NULL,
    period           BIGINT  NOT NULL,
    expires_at       BIGINT,
    uses             BIGINT  NOT NULL,
    uses_limit       BIGINT  NOT NULL,
    revoked          BOOLEAN NOT NULL,
    created_at       BIGINT  NOT NULL,
    renewed_at       BIGINT
);
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
    delete_protection    BOOLEAN NOT NULL,
    auto_capitalization  BOOLEAN NOT NULL,
    audit_retention_days BIGINT,
    created_at           BIGINT  NOT NULL,
    updated_at           BIGINT  NOT NULL,
    CONSTRAINT projects_slug_key UNIQUE (organization_id, slug)
);

CREATE TABLE memberships (
    id          TEXT    PRIMARY KEY,
    project_id  TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    identity_id TEXT    NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    roles       TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL,
    CONSTRAINT memberships_key UNIQUE (project_id, identity_id)
);
CREATE INDEX memberships_by_identity ON memberships (identity_id);

CREATE TABLE environments (
    id         TEXT    PRIMARY KEY,
    project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    slug       TEXT    NOT NULL,
    position   BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    CONSTRAINT environments_slug_key UNIQUE (project_id, slug)
);

-- `path` is the full path; a range of it is everything below a folder.
CREATE TABLE folders (
    id             TEXT    PRIMARY KEY,
    environment_id TEXT    NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    parent_id      TEXT    REFERENCES folders (id) ON DELETE CASCADE,
    path           TEXT COLLATE "C" NOT NULL,
    description    TEXT,
    version        BIGINT  NOT NULL,
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL,
    CONSTRAINT folders_path_key UNIQUE (environment_id, path)
);
CREATE INDEX folders_by_parent ON folders (parent_id);

CREATE TABLE connections (
    id               TEXT    PRIMARY KEY,
    organization_id  TEXT    NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    project_id       TEXT    REFERENCES projects (id) ON DELETE CASCADE,
    name             TEXT    NOT NULL,
    description      TEXT,
    method           TEXT    NOT NULL,
    credentials      BYTEA   NOT NULL,
    credentials_hash TEXT    NOT NULL,
    config           TEXT    NOT NULL,
    version          BIGINT  NOT NULL,
    created_at       BIGINT  NOT NULL,
    updated_at       BIGINT  NOT NULL
);
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
    settles_at    BIGINT,
    unfinished    TEXT,
    failures      BIGINT  NOT NULL,
    due_at        BIGINT,
    lease_node    TEXT,
    lease_until   BIGINT,
    fence         BIGINT  NOT NULL DEFAULT 0,
    CONSTRAINT managed_users_key UNIQUE (partition, account, user_id)
);
CREATE INDEX managed_users_due ON managed_users (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX managed_users_by_connection ON managed_users (connection_id);
CREATE INDEX managed_users_leased ON managed_users (lease_node) WHERE lease_node IS NOT NULL;

CREATE TABLE intents (
    id            TEXT    PRIMARY KEY,
    user_id       TEXT    NOT NULL REFERENCES managed_users (id),
    fence         BIGINT  NOT NULL,
    kind          TEXT    NOT NULL,
    access_key_id TEXT,
    snapshot      TEXT    NOT NULL,
    opened_at     BIGINT  NOT NULL,
    call_deadline BIGINT  NOT NULL,
    outcome       TEXT,
    closed_at     BIGINT
);
CREATE UNIQUE INDEX intents_open_key ON intents (user_id) WHERE outcome IS NULL;
CREATE INDEX intents_by_kind ON intents (user_id, kind, opened_at);

-- Rows are never removed; those of ended keys keep no secret.
CREATE TABLE managed_keys (
    user_id        TEXT    NOT NULL REFERENCES managed_users (id),
    access_key_id  TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    origin         TEXT    NOT NULL,
    proof          TEXT,
    secret         BYTEA,
    aws_status     TEXT    NOT NULL,
    aws_created_at BIGINT,
    first_seen_at  BIGINT  NOT NULL,
    verified_at    BIGINT,
    published_at   BIGINT,
    displaced_at   BIGINT,
    deactivated_at BIGINT,
    ended_at       BIGINT,
    held           TEXT,
    settles_at     BIGINT,
    explained_by   TEXT    REFERENCES intents (id),
    PRIMARY KEY (user_id, access_key_id)
);
CREATE INDEX managed_keys_by_end ON managed_keys (user_id, ended_at);

-- `version` is the number of the current row in `secret_versions`.
CREATE TABLE secrets (
    id                      TEXT    PRIMARY KEY,
    folder_id               TEXT    NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
    name                    TEXT COLLATE "C" NOT NULL,
    version                 BIGINT  NOT NULL,
    comment                 BYTEA,
    metadata                TEXT    NOT NULL,
    skip_multiline_encoding BOOLEAN,
    reminder_note           TEXT,
    reminder_days           BIGINT,
    rotation_id             TEXT,
    created_at              BIGINT  NOT NULL,
    updated_at              BIGINT  NOT NULL,
    CONSTRAINT secrets_name_key UNIQUE (folder_id, name)
);
CREATE INDEX secrets_by_rotation ON secrets (rotation_id) WHERE rotation_id IS NOT NULL;

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
    automatic                   BOOLEAN NOT NULL,
    interval_days               BIGINT  NOT NULL,
    rotate_at_hours             DOUBLE PRECISION NOT NULL,
    rotate_at_minutes           DOUBLE PRECISION NOT NULL,
    access_key_id_secret_id     TEXT    NOT NULL REFERENCES secrets (id),
    secret_access_key_secret_id TEXT    NOT NULL REFERENCES secrets (id),
    slot_0                      TEXT,
    slot_1                      TEXT,
    active_slot                 BIGINT  NOT NULL,
    status                      TEXT    NOT NULL,
    last_message                TEXT,
    last_job                    TEXT,
    last_attempted_at           BIGINT  NOT NULL,
    last_rotated_at             BIGINT  NOT NULL,
    last_manual                 BOOLEAN NOT NULL,
    anchor_at                   BIGINT  NOT NULL,
    slot_at                     BIGINT,
    next_attempt_at             BIGINT,
    failures                    BIGINT  NOT NULL,
    revoking                    BOOLEAN NOT NULL,
    created_at                  BIGINT  NOT NULL,
    updated_at                  BIGINT  NOT NULL,
    CONSTRAINT rotations_name_key UNIQUE (folder_id, name),
    CONSTRAINT rotations_user_key UNIQUE (user_id)
);
CREATE INDEX rotations_by_connection ON rotations (connection_id);
CREATE INDEX rotations_by_access_key_id_secret ON rotations (access_key_id_secret_id);
CREATE INDEX rotations_by_secret_access_key_secret ON rotations (secret_access_key_secret_id);
ALTER TABLE secrets ADD CONSTRAINT secrets_rotation_fkey
    FOREIGN KEY (rotation_id) REFERENCES rotations (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;

-- `value` goes when the access key that it belongs to has ended.
CREATE TABLE secret_versions (
    id            TEXT    PRIMARY KEY,
    secret_id     TEXT    NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,
    number        BIGINT  NOT NULL,
    value         BYTEA,
    author        TEXT    NOT NULL,
    access_key_id TEXT,
    created_at    BIGINT  NOT NULL,
    CONSTRAINT secret_versions_key UNIQUE (secret_id, number)
);
CREATE INDEX secret_versions_by_access_key ON secret_versions (access_key_id) WHERE access_key_id IS NOT NULL;
