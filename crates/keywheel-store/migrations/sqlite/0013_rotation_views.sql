-- What people look at first: what comes next, what failed, and keys that somebody has to decide on.
CREATE INDEX rotations_by_next_attempt ON rotations (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX rotations_failed ON rotations (last_attempted_at) WHERE status = 'failed';
CREATE INDEX managed_keys_undecided ON managed_keys (state, first_seen_at, access_key_id)
    WHERE state IN ('orphan_suspect', 'unmanaged');
-- How old published keys are, without a look at the rows, which hold sealed secrets.
CREATE INDEX managed_keys_published ON managed_keys (user_id, access_key_id, aws_created_at, first_seen_at)
    WHERE state = 'published';
