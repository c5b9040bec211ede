-- Puts a generation in force: rows for the scripts, the encoded whole for the gateways, one switch.
--
-- KEYS[1]  root
-- ARGV[1]  number; must be above the one in force
-- ARGV[2]  the encoded generation
-- ARGV[3]  seconds the previous generation stays readable
-- ARGV[4]  a word no other publication has: who keeps rows knows by it whose they are
-- ARGV[5…] field, row (msgpack), …
-- returns  1, or the number in force when it is not lower
-- Leaves the number and the word under `published`, for `keeping.lua`.
-- cost     O(rows)
in_force(call('GET', root .. 'gen'))
local number = tonumber(ARGV[1])
local current = tonumber(run.generation)
if number <= current then return current end
local key = root .. 'plan:' .. ARGV[1]
call('DEL', key)
for i = 5, #ARGV, 2 do call('HSET', key, ARGV[i], ARGV[i + 1]) end
call('SET', root .. 'gen:' .. ARGV[1], ARGV[2])
call('SET', root .. 'published', ARGV[1] .. ' ' .. ARGV[4])
call('SET', root .. 'gen', ARGV[1])
if current > 0 then
  call('EXPIRE', run.plan_key, ARGV[3])
  call('EXPIRE', root .. 'gen:' .. run.generation, ARGV[3])
end
call('PUBLISH', root .. 'news', 'generation ' .. ARGV[1])
return 1
