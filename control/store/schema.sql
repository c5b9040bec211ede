-- name: table
SELECT to_regclass('public.schema_reads') IS NOT NULL;

-- name: oldest
SELECT oldest FROM schema_reads;
