-- What failed is looked at again at each start, without a look at everybody who did not.
CREATE INDEX managed_users_failed ON managed_users (due_at) WHERE failures > 0;
