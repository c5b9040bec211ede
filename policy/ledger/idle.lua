-- Forgets mailboxes that have been idle for so long that they are new again: one that never was counts the
-- same, and takes no room, and nobody's place under the tenant's bound.
--
-- KEYS[1]  root
-- ARGV[1]  tenant
-- ARGV[2]  days after which a mailbox is new again
-- ARGV[3…] mailboxes; looked at again here, for they may have sent since they were found
-- returns  how many were forgotten
-- cost     O(mailboxes)
local key, today = root .. 'boxes:' .. ARGV[1], math.floor(now_ms() / DAY)
local asked = {unpack(ARGV, 3)}
local gone = {}
for i, packed in ipairs(call('HMGET', key, unpack(asked))) do
  if packed and today - cmsgpack.unpack(packed)[2] > tonumber(ARGV[2]) then gone[#gone + 1] = asked[i] end
end
if #gone > 0 then call('HDEL', key, unpack(gone)) end
return #gone
