-- Puts a generation in force: rows for the scripts, the encoded whole for the gateways, one switch.
--
-- KEYS[1]  root
-- ARGV[1]  number; must be above the one in force
-- ARGV[2]  the encoded generation
-- ARGV[3]  seconds the previous generation stays readable
-- ARGV[4]  a word no other publication has: who keeps rows knows by it whose they are
-- ARGV[5]  msgpack map of tenants to the digests of their mailboxes, which lie there under them
-- ARGV[6…] field, row (msgpack), …
-- returns  1, or the number in force when it is not lower
-- Leaves the number and the word under `published`, for `keeping.lua`.
-- cost     O(rows)
in_force(call('GET', root .. 'gen'))
local number = tonumber(ARGV[1])
local current = tonumber(run.generation)
if number <= current then return current end
local key = root .. 'plan:' .. ARGV[1]
call('DEL', key)
for i = 6, #ARGV, 2 do call('HSET', key, ARGV[i], ARGV[i + 1]) end
call('SET', root .. 'gen:' .. ARGV[1], ARGV[2])
call('SET', root .. 'published', ARGV[1] .. ' ' .. ARGV[4])
call('SET', root .. 'gen', ARGV[1])
if current > 0 then
  call('EXPIRE', run.plan_key, ARGV[3])
  call('EXPIRE', root .. 'gen:' .. run.generation, ARGV[3])
end
-- Mailboxes of this plan last; those of the one before go with it, and the counts of a tenant that went.
local named, digests = cmsgpack.unpack(ARGV[5]), root .. 'mailbox_digests'
local before = call('HGETALL', digests)
for i = 1, #before, 2 do
  if named[before[i]] ~= before[i + 1] then
    call('UNLINK', root .. 'mailboxes:' .. before[i] .. ':' .. before[i + 1])
    call('HDEL', digests, before[i])
  end
end
for tenant, digest in pairs(named) do
  call('PERSIST', root .. 'mailboxes:' .. tenant .. ':' .. digest)
  call('HSET', digests, tenant, digest)
end
if current > 0 then
  for _, field in ipairs(call('HKEYS', run.plan_key)) do
    if string.sub(field, 1, 2) == 't:' and call('HEXISTS', key, field) == 0 then
      call('UNLINK', root .. 'boxes:' .. string.sub(field, 3))
    end
  end
end
call('PUBLISH', root .. 'news', 'generation ' .. ARGV[1])
return 1
