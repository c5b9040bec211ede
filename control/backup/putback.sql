-- name: begin
-- For psql, with what pg_restore writes between these and the last ones: one transaction, which ends
-- well only if all of the backup was read to its seal. A session that breaks off is rolled back.
\set ON_ERROR_STOP on
\set QUIET on
\o /dev/null
BEGIN;
SET LOCAL lock_timeout = '30s';
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;

-- name: empty
-- As initdb makes it (PostgreSQL 15 and newer).
DROP SCHEMA IF EXISTS public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;

-- name: doubt
-- In the same transaction: there is no moment at which what waited then may go again.
SET LOCAL search_path = public, pg_catalog;
\o
\pset tuples_only on
\pset format unaligned
SELECT 'in doubt ' || hold_restore(:now);

-- name: ready
\o
\echo restored, not committed

-- name: commit
COMMIT;
\echo committed
