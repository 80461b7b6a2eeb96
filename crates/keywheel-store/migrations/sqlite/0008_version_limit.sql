-- How many versions of each secret of a project are kept. Older ones go with the next write.
ALTER TABLE projects ADD COLUMN version_limit INTEGER NOT NULL DEFAULT 10;
