-- SQLite sorts names by their bytes already. The number is that of the migration of PostgreSQL.
SELECT 1;
