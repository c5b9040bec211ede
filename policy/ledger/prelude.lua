-- Prepended to every script of this folder: names of keys, the clock seam, days and windows.
--
-- KEYS[1]  the ledger's root, `sg:{NAME}:`. Every key of the ledger starts with it, and its hash
--          tag keeps them on one slot of a cluster: one script, one atomic decision.
-- Calendar time is the server's TIME plus the offset that `sendgate clock` sets; nothing else in
-- these scripts reads a clock. Arithmetic mirrors policy/limits.py line by line.
local root = KEYS[1]
local DAY = 86400000
local PACE_SLACK = 0.5
local NOMINAL_QUOTA = 100000
local KEEP_DAYS = 8 * 86400      -- seconds a day's counters stay readable

local function real_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function now_ms()
  return real_ms() + tonumber(redis.call('GET', root .. 'offset') or '0')
end

local function exact(number)     -- doubles survive the way through a string
  return string.format('%.17g', number)
end

local function day_key(day, ip)
  return root .. 'day:' .. string.format('%d', day) .. ':' .. ip
end

local function zone_offset(window, seconds)
  local chosen = window.offsets[1][2]
  for _, step in ipairs(window.offsets) do
    if step[1] <= seconds then chosen = step[2] end
  end
  return chosen
end

local function open_time(window, now)
  if not window then return now end
  local shifted = now + 1000 * (zone_offset(window, math.floor(now / 1000)) - window.start)
  local day = math.floor(shifted / DAY)
  local length = window.length * 1000
  return day * length + math.min(shifted - day * DAY, length)
end

local function wall_time(window, opened)
  local target = math.ceil(opened)
  if not window then return target end
  local length = window.length * 1000
  local day = math.floor(target / length)
  local here = day * DAY + (target - day * length) + window.start * 1000
  local guess = zone_offset(window, math.floor(here / 1000))
  return here - 1000 * zone_offset(window, math.floor(here / 1000) - guess)
end

local function opens_at(window, now)
  if not window then return 0 end
  local shifted = now + 1000 * (zone_offset(window, math.floor(now / 1000)) - window.start)
  local inside = shifted - math.floor(shifted / DAY) * DAY
  if inside < window.length * 1000 then return 0 end
  return now + DAY - inside
end

local function day_length(window)
  if not window then return DAY end
  return window.length * 1000
end

-- The plan in force: rows of the current generation, decoded at most once a script run.
local generation = redis.call('GET', root .. 'gen') or '0'
local plan_key = root .. 'plan:' .. generation
local rows = {}

local function row(field)
  local known = rows[field]
  if known == nil then
    local packed = redis.call('HGET', plan_key, field)
    known = packed and cmsgpack.unpack(packed) or false
    rows[field] = known
  end
  return known
end

local function index_keys(pool, provider, day)
  local tail = generation .. ':' .. string.format('%d', day) .. ':' .. pool .. ':' .. provider
  return root .. 'free:' .. tail, root .. 'full:' .. tail
end

local function share_used(vmta, used)
  local quota = vmta.daily
  if quota < 0 then quota = NOMINAL_QUOTA elseif quota < 1 then quota = 1 end
  return used / (quota * vmta.weight)
end

-- An IP whose counters fell (a refund, a final record) may send again at once.
local function wake(ip, now)
  local vmta = row('i:' .. ip)
  if not vmta then return end
  local day = math.floor(now / DAY)
  local counts = redis.call('HMGET', day_key(day, ip), 'n', 'o')
  local used = tonumber(counts[1] or '0') + math.max(tonumber(counts[2] or '0'), 0)
  local score = exact(share_used(vmta, used))
  for _, pool in ipairs(vmta.pools) do
    for _, provider in ipairs(row('g').providers) do
      local free, full = index_keys(pool, provider, day)
      if redis.call('ZREM', full, ip) == 1 then
        redis.call('ZADD', free, score, ip)
        redis.call('EXPIRE', free, KEEP_DAYS)
      else
        redis.call('ZADD', free, 'XX', score, ip)
      end
    end
  end
end
