SELECT at, data, took, extract(epoch FROM clock_timestamp() - taken)::float8 AS age FROM hold_summary
