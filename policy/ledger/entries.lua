-- Writes duplicate entries of a ledger that is being rebuilt; what is there is replaced.
--
-- KEYS[1]  root
-- ARGV[1]  seconds a sent entry lives, from its `since` on
-- ARGV[2…] key, owner, attempt, state, since (calendar milliseconds), …
-- returns  how many are there now
-- cost     O(entries)
local now, kept = now_ms(), 0
for i = 2, #ARGV, 5 do
  local key, state = root .. 'dup:' .. ARGV[i], ARGV[i + 3]
  local left = -1
  if state == 'sent' then
    left = math.ceil(tonumber(ARGV[1]) - (now - tonumber(ARGV[i + 4])) / 1000)
  end
  if state ~= 'sent' or left > 0 then
    redis.call('HSET', key, 'owner', ARGV[i + 1], 'attempt', ARGV[i + 2], 'state', state,
      'since', ARGV[i + 4])
    if left > 0 then redis.call('EXPIRE', key, left) else redis.call('PERSIST', key) end
    kept = kept + 1
  end
end
return kept
