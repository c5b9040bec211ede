-- Puts a generation in force: rows for the scripts, the encoded whole for the gateways, one switch.
--
-- KEYS[1]  root
-- ARGV[1]  number; must be above the one in force
-- ARGV[2]  the encoded generation
-- ARGV[3]  seconds the previous generation stays readable
-- ARGV[4…] field, row (msgpack), …
-- returns  1, or the number in force when it is not lower
-- cost     O(rows)
in_force(redis.call('GET', root .. 'gen'))
local number = tonumber(ARGV[1])
local current = tonumber(generation)
if number <= current then return current end
local key = root .. 'plan:' .. ARGV[1]
redis.call('DEL', key)
for i = 4, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
redis.call('SET', root .. 'gen:' .. ARGV[1], ARGV[2])
redis.call('SET', root .. 'gen', ARGV[1])
if current > 0 then
  redis.call('EXPIRE', plan_key, ARGV[3])
  redis.call('EXPIRE', root .. 'gen:' .. generation, ARGV[3])
end
redis.call('PUBLISH', root .. 'news', 'generation ' .. ARGV[1])
return 1
