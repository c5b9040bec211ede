-- name: server
-- And which process answers: cluster, timeline, start. On a primary only.
SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
    concat_ws(' ', (SELECT system_identifier FROM pg_control_system()),
        left(pg_walfile_name(pg_current_wal_lsn()), 8), pg_postmaster_start_time()) AS process

-- name: partition
SELECT hold_partition($1)
