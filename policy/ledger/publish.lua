-- Puts a generation in force: rows for the scripts, the manifest for the gateways, one switch.
--
-- KEYS[1]  root
-- ARGV[1]  number; must be above the one in force
-- ARGV[2]  the manifest
-- ARGV[3]  seconds the previous generation, and parts that went, stay readable
-- ARGV[4]  a word no other publication has: who keeps rows knows by it whose they are
-- ARGV[5]  msgpack array of the parts that the manifest names
-- ARGV[6]  msgpack map of tenants to the digests of their mailboxes
-- ARGV[7]  what `published` says of the publication the rows below differ from; '': they lie whole
--          under `staged:` and the word
-- ARGV[8]  msgpack array of fields that went
-- ARGV[9]  msgpack array of mailboxes that lie under their former digest, with what differs:
--          {tenant, former digest, how many rows, {mailbox that went, …}}; those of others lie there
-- ARGV[10] how many rows follow
-- ARGV[11…] field, row (msgpack), …; then the mailboxes', in the order of ARGV[9]: mailbox, row, …
-- returns  1; the number in force when it is not lower; or -1: something that this was to be made from
--          is not there, or another one. Nothing was changed then
-- Leaves the number and the word under `published`, for `keeping.lua`.
-- cost     O(what differs + parts); O(rows) where they lie whole
in_force(call('GET', root .. 'gen'))
local number = tonumber(ARGV[1])
local current = tonumber(run.generation)
if number <= current then return current end
local staged, key = root .. 'staged:' .. ARGV[4], root .. 'plan:' .. ARGV[1]
local differs = ARGV[7] ~= ''
local parts, named, moved = cmsgpack.unpack(ARGV[5]), cmsgpack.unpack(ARGV[6]), cmsgpack.unpack(ARGV[9])
local digests = root .. 'mailbox_digests'
local function mailboxes(tenant, digest) return root .. 'mailboxes:' .. tenant .. ':' .. digest end

-- First all looks, for what a script has written stays when it fails.
if differs then
  if call('GET', root .. 'published') ~= ARGV[7] then return -1 end
  if call('EXISTS', run.plan_key) == 0 then return -1 end
elseif call('EXISTS', staged) == 0 then
  return -1
end
for _, digest in ipairs(parts) do
  if call('EXISTS', root .. 'part:' .. digest) == 0 then return -1 end
end
local comes = {}
for _, one in ipairs(moved) do
  if call('HGET', digests, one[1]) ~= one[2] then return -1 end
  if call('EXISTS', mailboxes(one[1], one[2])) == 0 then return -1 end
  comes[one[1]] = true
end
for tenant, digest in pairs(named) do
  if not comes[tenant] and call('EXISTS', mailboxes(tenant, digest)) == 0 then return -1 end
end

-- Rows are in the order of what is written.
local rows = 11
local function write(to, count)
  for i = rows, rows + 2 * count - 2, 2 do call('HSET', to, ARGV[i], ARGV[i + 1]) end
  rows = rows + 2 * count
end

-- The counts of mailboxes go with their tenant.
local function went(field)
  if string.sub(field, 1, 2) == 't:' then call('UNLINK', root .. 'boxes:' .. string.sub(field, 3)) end
end
if differs then
  call('RENAME', run.plan_key, key)
  write(key, tonumber(ARGV[10]))
  for _, field in ipairs(cmsgpack.unpack(ARGV[8])) do
    call('HDEL', key, field)
    went(field)
  end
else
  call('RENAME', staged, key)
  call('PERSIST', key)
  for _, field in ipairs(call('HKEYS', run.plan_key)) do
    if call('HEXISTS', key, field) == 0 then went(field) end
  end
  call('EXPIRE', run.plan_key, ARGV[3])
end

-- Mailboxes of this plan last; those of the one before go with it.
for _, one in ipairs(moved) do
  local to = mailboxes(one[1], named[one[1]])
  call('RENAME', mailboxes(one[1], one[2]), to)
  write(to, one[3])
  for _, mailbox in ipairs(one[4]) do call('HDEL', to, mailbox) end
end
local before = call('HGETALL', digests)
for i = 1, #before, 2 do
  if named[before[i]] ~= before[i + 1] then
    call('UNLINK', mailboxes(before[i], before[i + 1]))
    call('HDEL', digests, before[i])
  end
end
for tenant, digest in pairs(named) do
  call('PERSIST', mailboxes(tenant, digest))
  call('HSET', digests, tenant, digest)
end

-- What gateways read.
local lasting, wanted = root .. 'parts', {}
for _, digest in ipairs(parts) do
  wanted[digest] = true
  if call('SADD', lasting, digest) == 1 then call('PERSIST', root .. 'part:' .. digest) end
end
for _, digest in ipairs(call('SMEMBERS', lasting)) do
  if not wanted[digest] then
    call('SREM', lasting, digest)
    call('EXPIRE', root .. 'part:' .. digest, ARGV[3])
  end
end
call('SET', root .. 'gen:' .. ARGV[1], ARGV[2])
call('SET', root .. 'published', ARGV[1] .. ' ' .. ARGV[4])
call('SET', root .. 'gen', ARGV[1])
call('EXPIRE', root .. 'gen:' .. run.generation, ARGV[3])
call('PUBLISH', root .. 'news', 'generation ' .. ARGV[1])
return 1
