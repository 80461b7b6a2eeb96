-- Whether the current value of a secret may refer to other secrets. Values are sealed, so those of before are taken to.
ALTER TABLE secrets ADD COLUMN has_references boolean NOT NULL DEFAULT true;
UPDATE secrets SET has_references = false WHERE rotation_id IS NOT NULL;
