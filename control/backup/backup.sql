-- name: counting
-- Of this session alone: names of tables cannot be parameters.
CREATE OR REPLACE FUNCTION pg_temp.sendgate_counted()
RETURNS TABLE (relation text, count bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN SELECT c.relname::text FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1
    LOOP
        EXECUTE format('SELECT count(*) FROM public.%I', relation) INTO count;
        RETURN NEXT;
    END LOOP;
END $$;

-- name: counted
SELECT relation, count FROM pg_temp.sendgate_counted();

-- name: stay
-- We say nothing while pg_dump reads, however long that takes.
SELECT set_config('idle_in_transaction_session_timeout', '0', true);

-- name: snapshot
SELECT pg_export_snapshot();

-- name: size
SELECT pg_database_size(current_database());

-- name: version
SELECT current_setting('server_version_num')::integer / 10000;

-- name: revision
SELECT version_num FROM alembic_version;

-- name: waiting
SELECT state, count(*) AS count FROM held WHERE state IN ('held', 'claimed', 'doubt')
GROUP BY state ORDER BY state;

-- name: newest
SELECT coalesce(max(arrived), 0) FROM held;

-- name: ips
SELECT DISTINCT ip FROM vmta_ip ORDER BY ip;

-- name: here
SELECT count(*) FROM pg_class
WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'v', 'm', 'S', 'p');

-- name: holding
SELECT to_regclass('public.held') IS NOT NULL;

-- name: others
-- Processes of ours that are at the database now.
SELECT application_name AS name, count(*) AS count FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND application_name LIKE 'sendgate %' AND application_name <> 'sendgate backup'
GROUP BY 1 ORDER BY 1;

-- name: may_create
SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user;

-- name: create
SELECT format('CREATE DATABASE %I', $1::text);

-- name: drop
SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', $1::text);
