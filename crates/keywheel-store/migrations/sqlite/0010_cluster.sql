-- How many users of each account are held is counted with each claim.
CREATE INDEX managed_users_held ON managed_users (lease_until, account) WHERE lease_until IS NOT NULL;

-- When the next call to an AWS account may be sent, in microseconds since 1970: all processes together keep its limit.
CREATE TABLE aws_pace (
    account TEXT    PRIMARY KEY,
    next_at INTEGER NOT NULL
);
