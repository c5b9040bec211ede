-- What a row says, as it is searched: in lower case, and one expression, so that an index can have it.
CREATE FUNCTION audit_text(subject text, reason text, before jsonb, after jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(subject || ' ' || reason || ' ' || coalesce(before::text, '') || ' '
        || coalesce(after::text, ''))
$$;

-- Of a million rows a text that few have took 2.3 to 3.0 s. By trigrams: 0.8 to 82 ms, for 192 MB and 43 s
-- of building, in which changes wait and mail does not. pg_trgm comes with PostgreSQL and may be created
-- by who owns the database; where it is not, texts are found as before (`sendgate check` says so), and
-- `audit_log_text` is made by hand any time (deploy/RUNBOOK.md).
DO $$
BEGIN
    BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
        RAISE NOTICE 'pg_trgm cannot be created: %', SQLERRM;
    END;
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
        CREATE INDEX audit_log_text ON audit_log
            USING gin (audit_text(subject, reason, before, after) gin_trgm_ops);
    END IF;
END
$$;
