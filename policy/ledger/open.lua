-- Opens a ledger: gives it the incarnation that every batch must name.
--
-- KEYS[1]  root
-- ARGV[1]  new incarnation
-- ARGV[2]  incarnation that may be replaced ('' for none)
-- ARGV[3]  run id of the server
-- ARGV[4]  1: what was charged before is not known (rating.lua counts it as all there may be)
-- returns  the incarnation in force afterwards
local held = call('HGET', root .. 'inc', 'id')
if held and held ~= ARGV[2] then return held end
-- Nobody charged by the calendar in a ledger that never was.
if call('EXISTS', root .. 'inc') == 0 then call('HSET', root .. 'inc', 'smooth', '0') end
if ARGV[4] == '1' then call('HSET', root .. 'inc', 'lost', string.format('%d', now_ms())) end
call('HSET', root .. 'inc', 'id', ARGV[1], 'run', ARGV[3], 'opened', string.format('%d', now_ms()))
call('HSETNX', root .. 'inc', 'seq', '0')
call('PUBLISH', root .. 'news', 'opened')
return ARGV[1]
