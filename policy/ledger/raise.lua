-- Raises an IP's counters of a day to what is known from elsewhere: a ledger that lost its data is
-- rebuilt so before it is opened. Never lowers one: too high, never too low.
--
-- KEYS[1]  root
-- ARGV[1]  IP
-- ARGV[2]  day
-- ARGV[3]  recipients in all
-- ARGV[4…] provider, count, …
-- returns  1
local key = day_key(tonumber(ARGV[2]), ARGV[1])
local function raise(field, count)
  local held = tonumber(call('HGET', key, field) or '0')
  if tonumber(count) > held then call('HSET', key, field, count) end
end
raise('n', ARGV[3])
for i = 4, #ARGV, 2 do raise('n:' .. ARGV[i], ARGV[i + 1]) end
call('EXPIRE', key, KEEP_DAYS)
return 1
