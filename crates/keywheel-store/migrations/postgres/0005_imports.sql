-- A folder shows the secrets of other folders. Later positions win; a folder that is renamed is still imported.
CREATE TABLE secret_imports (
    id               text   PRIMARY KEY,
    folder_id        text   NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
    target_folder_id text   NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
    position         bigint NOT NULL,
    version          bigint NOT NULL,
    created_at       bigint NOT NULL,
    updated_at       bigint NOT NULL,
    CONSTRAINT secret_imports_key UNIQUE (folder_id, target_folder_id)
);
CREATE INDEX secret_imports_by_target ON secret_imports (target_folder_id);
