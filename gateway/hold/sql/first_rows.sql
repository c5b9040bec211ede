-- What became of the first ones, for those in doubt behind them.
SELECT id, state, ending FROM held WHERE id = ANY($1::text[]) AND state <> 'tombstone'
