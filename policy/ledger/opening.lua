-- Sets what an IP's day opens at: recipients relayed on earlier days without a final record yet.
--
-- KEYS[1]  root
-- ARGV[1]  IP
-- ARGV[2]  day
-- ARGV[3]  total
-- ARGV[4…] provider, count, …
-- returns  1
in_force(call('GET', root .. 'gen'))
local key = day_key(tonumber(ARGV[2]), ARGV[1])
call('HSET', key, 'o', ARGV[3])
for i = 4, #ARGV, 2 do call('HSET', key, 'o:' .. ARGV[i], ARGV[i + 1]) end
call('EXPIRE', key, KEEP_COUNTS)
local today = math.floor(now_ms() / DAY)
local counts = call('HMGET', day_key(today, ARGV[1]), 'n', 'o')
local used = tonumber(counts[1] or '0') + math.max(tonumber(counts[2] or '0'), 0)
wake({[ARGV[1]] = used}, today)
return 1
