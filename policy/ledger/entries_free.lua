-- Frees duplicate entries that are not sent: those of a ledger that went back may have no row in
-- the hold any more, and a repeat would be answered 250 for a message that nobody has.
--
-- KEYS[1]  root
-- ARGV[1…] names of entries and of buckets, without the root
-- returns  how many were freed
-- cost     O(entries), those in the buckets included
local function unsent(value) return bucket.unpack(value) ~= 'S' end

local freed = 0
for _, name in ipairs(ARGV) do
  if string.sub(name, 1, 5) == 'dups:' then
    freed = freed + bucket.remove(root .. name, unsent)
  else
    local found = call('GET', root .. name)
    if found and string.sub(found, 1, 1) ~= 'S' then freed = freed + call('DEL', root .. name) end
  end
end
return freed
