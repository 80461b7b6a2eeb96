-- Tags of a project, and which secrets have them.
CREATE TABLE tags (
    id         TEXT    PRIMARY KEY,
    project_id TEXT    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    slug       TEXT    COLLATE "C" NOT NULL,
    color      TEXT    NOT NULL,
    name       TEXT,
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL,
    CONSTRAINT tags_slug_key UNIQUE (project_id, slug)
);

CREATE TABLE secret_tags (
    secret_id TEXT NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,
    tag_id    TEXT NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (secret_id, tag_id)
);
CREATE INDEX secret_tags_by_tag ON secret_tags (tag_id);

-- Counts the writes that may change what refers to what: whoever has looked at all references of a project can tell
-- whether that is still all of them.
ALTER TABLE projects ADD COLUMN reference_writes BIGINT NOT NULL DEFAULT 0;
