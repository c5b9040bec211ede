-- Charges mail that went around the gateways. Told is the total of the day, and what of it was charged
-- stands beside the counters it raised, in one step: told again, or late, it charges nothing more.
--
-- KEYS[1]  root
-- ARGV[1]  incarnation that must be in force
-- ARGV[2]  IP
-- ARGV[3]  day
-- ARGV[4…] provider, recipients in all, …
-- returns  1; 0: another incarnation is in force, and nothing changed
-- cost     two reads and at most three writes a provider
if call('HGET', root .. 'inc', 'id') ~= ARGV[1] then return 0 end
local key = day_key(tonumber(ARGV[3]), ARGV[2])
for i = 4, #ARGV, 2 do
  local provider, total = ARGV[i], tonumber(ARGV[i + 1])
  local more = total - tonumber(call('HGET', key, 'x:' .. provider) or '0')
  if more > 0 then
    call('HSET', key, 'x:' .. provider, ARGV[i + 1])
    call('HINCRBY', key, 'n', more)
    call('HINCRBY', key, 'n:' .. provider, more)
  end
end
call('EXPIRE', key, KEEP_COUNTS)
return 1
