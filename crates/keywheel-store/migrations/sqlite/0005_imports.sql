-- A folder shows the secrets of other folders. Later positions win; a folder that is renamed is still imported.
CREATE TABLE secret_imports (
    id               TEXT    PRIMARY KEY,
    folder_id        TEXT    NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
    target_folder_id TEXT    NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
    position         INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    CONSTRAINT secret_imports_key UNIQUE (folder_id, target_folder_id)
) STRICT;
CREATE INDEX secret_imports_by_target ON secret_imports (target_folder_id);
