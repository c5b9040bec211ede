-- Raises an IP's counters of a day to what is known from elsewhere: a ledger that lost its data is
-- rebuilt so before it is opened. Never lowers one: too high, never too low. Mail around the gateways
-- (x:PROVIDER, see bypass.lua) that was charged here since it was counted elsewhere comes on top.
--
-- KEYS[1]  root
-- ARGV[1]  IP
-- ARGV[2]  day
-- ARGV[3]  recipients in all
-- ARGV[4…] provider, recipients, those of them that went around the gateways, …
-- returns  1
local key = day_key(tonumber(ARGV[2]), ARGV[1])
local function held(field)
  return tonumber(call('HGET', key, field) or '0')
end
local function raise(field, count)
  if count > held(field) then call('HSET', key, field, string.format('%d', count)) end
end
local later = 0
for i = 4, #ARGV, 3 do
  local provider, around = ARGV[i], tonumber(ARGV[i + 2])
  local more = math.max(held('x:' .. provider) - around, 0)
  later = later + more
  raise('n:' .. provider, tonumber(ARGV[i + 1]) + more)
  raise('x:' .. provider, around)
end
raise('n', tonumber(ARGV[3]) + later)
call('EXPIRE', key, KEEP_COUNTS)
return 1
