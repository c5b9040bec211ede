-- Parts of a plan that are not there; those that wait to be put in force, or to end, stay for a while.
--
-- KEYS[1]  root
-- ARGV[1]  seconds
-- ARGV[2]  msgpack array of the digests asked for
-- returns  the digests that have no part
local lacking = {}
for _, digest in ipairs(cmsgpack.unpack(ARGV[2])) do
  local key = root .. 'part:' .. digest
  local left = call('TTL', key)
  if left == -2 then
    lacking[#lacking + 1] = digest
  elseif left >= 0 then
    call('EXPIRE', key, ARGV[1])
  end
end
return lacking
