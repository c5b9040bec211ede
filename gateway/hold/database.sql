-- name: server
-- And which process answers: cluster, timeline, start. On a primary only. $1: milliseconds of the
-- longest transaction, where the server knows such a bound (17).
SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
    concat_ws(' ', (SELECT system_identifier FROM pg_control_system()),
        left(pg_walfile_name(pg_current_wal_lsn()), 8), pg_postmaster_start_time()) AS process,
    (SELECT set_config(name, $1::text, false) FROM pg_settings WHERE name = 'transaction_timeout')

-- name: partition
SELECT hold_partition($1)
