-- Writes duplicate entries of a ledger that is being rebuilt; what is there is replaced.
--
-- KEYS[1]  root
-- ARGV[1]  seconds (calendar) a sent entry lives, from its `since` on
-- ARGV[2]  seconds (real) any other entry lives that nobody changes
-- ARGV[3…] key, owner, attempt, state ('H', 'D' or 'S'), since (calendar milliseconds), server, …
-- returns  how many were written: a sent one that has grown old is not
-- cost     O(entries)
local now, written = now_ms(), 0
for i = 3, #ARGV, 6 do
  local state, since, server = ARGV[i + 3], tonumber(ARGV[i + 4]), ARGV[i + 5]
  local life = tonumber(ARGV[2])
  if state == 'S' then life = math.ceil(tonumber(ARGV[1]) - (now - since) / 1000) end
  if life > 0 then
    -- One string, as `decide.lua` reads it: state, attempt, since, server, owner.
    local value = string.format('%s %d %d %s %s',
      state, tonumber(ARGV[i + 2]), since, server == '' and '-' or server, ARGV[i + 1])
    call('SET', root .. 'dup:' .. ARGV[i], value, 'EX', life)
    written = written + 1
  end
end
return written
