-- Closes a ledger whose counts cannot be trusted, for every gateway at once.
--
-- KEYS[1]  root
-- ARGV[1]  the incarnation to close; another one stays open
-- returns  1 when it was closed
if call('HGET', root .. 'inc', 'id') ~= ARGV[1] then return 0 end
call('HDEL', root .. 'inc', 'id')
return 1
