-- What limits of a minute and an hour have used, for people: reads only, whatever the clock did.
--
-- KEYS[1]  root
-- ARGV     scope, most a minute, most an hour, of each (-1: no limit)
-- returns  {now, {used, free, used, free}, …}: what counts now in a minute and in an hour, and when
--          one more fits (0: now, -1: never)
-- cost     a GET each, and an HMGET for a span whose oldest bucket is over, or that is full
local RING = 64                  -- `rating.lua` has how a scope stands
local SPANS = {{'minute', 60000, 1000}, {'hour', 3600000, 60000}}
local now = now_ms()
local lost = tonumber(call('HGET', root .. 'inc', 'lost') or '0')

-- Buckets, oldest first: {when it counted last, how much}.
local function buckets(scope, span, unit)
  local from, slot = span[2], span[5]
  if span[6] >= now + unit[3] then return {{now, span[1]}} end
  local found, asked = {{span[3], span[4]}}, {}
  for between = from + 1, slot - 1 do asked[#asked + 1] = between % RING .. '' end
  if #asked > 0 then
    local packed = call('HMGET', root .. 'rates:' .. unit[1] .. ':' .. scope, unpack(asked))
    for place, one in ipairs(packed) do
      local bucket = one and cmsgpack.unpack(one)
      if bucket and bucket[1] == from + place then found[#found + 1] = {bucket[2], bucket[3]} end
    end
  end
  if slot ~= from then found[#found + 1] = {span[6], span[7]} end
  return found
end

local function used_of(scope, span, unit, most)
  local length = unit[2]
  if not span then return 0, most < 1 and -1 or 0 end
  if span[3] + length > now and span[1] < most then return span[1], 0 end
  local counting, used = {}, 0
  for _, bucket in ipairs(buckets(scope, span, unit)) do
    if bucket[1] + length > now then
      counting[#counting + 1] = bucket
      used = used + bucket[2]
    end
  end
  if most < 1 then return used, -1 end
  local need, free = used + 1 - most, 0
  for _, bucket in ipairs(counting) do
    if need <= 0 then break end
    need, free = need - bucket[2], bucket[1] + length
  end
  return used, free
end

local answer = {string.format('%d', now)}
for place = 1, #ARGV, 3 do
  local scope, entry = ARGV[place], {}
  local packed = call('GET', root .. 'rate:' .. scope)
  local spans = packed and cmsgpack.unpack(packed) or {}
  for i, unit in ipairs(SPANS) do
    local most, used, free = tonumber(ARGV[place + i]), 0, 0
    if most >= 0 then
      used, free = used_of(scope, spans[i], unit, most)
      -- Of a ledger that was lost nobody knows: it counts as used up.
      local past = math.min(lost, now) + unit[2]
      if not packed and most > 0 and past > now then used, free = most, past end
    end
    entry[2 * i - 1], entry[2 * i] = used, string.format('%d', free)
  end
  answer[#answer + 1] = entry
end
return answer
