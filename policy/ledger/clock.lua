-- The clock seam: shows calendar time, or moves it (embedded stacks only).
--
-- KEYS[1]  root
-- ARGV[1]  'show', or 'set'
-- ARGV[2]  with 'set': the new calendar time in milliseconds
-- returns  {calendar time, offset} in milliseconds, or nil when it would go back: days already
--          counted must not be counted again
local now = now_ms()
if ARGV[1] == 'set' then
  local target = tonumber(ARGV[2])
  if target < now then return nil end
  call('INCRBY', root .. 'offset', string.format('%d', target - now))
  call('PUBLISH', root .. 'news', 'clock')
  now = now_ms()
end
return {string.format('%d', now), call('GET', root .. 'offset') or '0'}
