-- Opens a ledger again after a restart of its server that lost nothing; any gateway may call it.
--
-- KEYS[1]  root
-- ARGV[1]  the incarnation that must still be in force
-- ARGV[2]  run id it was opened under
-- ARGV[3]  run id of the server now
-- returns  1 when it is open under ARGV[3], by this call or by an earlier one
-- Leaves, under `after:` and the old run id, where the sequence number stood: who knows a higher one
-- from the old process knows that this is a copy from before.
local held = call('HMGET', root .. 'inc', 'id', 'run', 'seq')
if held[1] ~= ARGV[1] then return 0 end
if held[2] == ARGV[3] then return 1 end
if held[2] ~= ARGV[2] then return 0 end
call('HSET', root .. 'inc', 'run', ARGV[3], 'after:' .. ARGV[2], held[3] or '0')
call('PUBLISH', root .. 'news', 'opened')
return 1
