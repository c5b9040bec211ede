-- Sets what an IP's day opens at: recipients relayed on earlier days without a final record yet.
-- A day whose count is lost is closed by the least it opens at, `c`: whoever publishes an opening
-- afterwards, or at the same moment, does not open it again.
--
-- KEYS[1]  root
-- ARGV[1]  IP
-- ARGV[2]  day
-- ARGV[3]  total
-- ARGV[4]  the least from now on; 0: none any more; '': as it was
-- ARGV[5…] provider, count, …
-- returns  1
in_force(call('GET', root .. 'gen'))
local key = day_key(tonumber(ARGV[2]), ARGV[1])
if ARGV[4] == '0' then
  call('HDEL', key, 'c')
elseif ARGV[4] ~= '' then
  call('HSET', key, 'c', ARGV[4])
end
local least = tonumber(call('HGET', key, 'c') or '0')
call('HSET', key, 'o', string.format('%d', math.max(tonumber(ARGV[3]), least)))
for i = 5, #ARGV, 2 do call('HSET', key, 'o:' .. ARGV[i], ARGV[i + 1]) end
call('EXPIRE', key, KEEP_COUNTS)
local today = math.floor(now_ms() / DAY)
if tonumber(ARGV[2]) ~= today then return 1 end
local counts = call('HMGET', day_key(today, ARGV[1]), 'n', 'o')
local used = tonumber(counts[1] or '0') + math.max(tonumber(counts[2] or '0'), 0)
wake({[ARGV[1]] = used}, today)
return 1
