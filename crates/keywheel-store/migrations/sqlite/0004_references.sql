-- Whether the current value of a secret may refer to other secrets. Values are sealed, so those of before are taken to.
ALTER TABLE secrets ADD COLUMN has_references INTEGER NOT NULL DEFAULT 1;
UPDATE secrets SET has_references = 0 WHERE rotation_id IS NOT NULL;
