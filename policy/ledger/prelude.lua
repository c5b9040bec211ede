-- In front of every script of this folder: names of keys, the clock seam, days and windows.
--
-- KEYS[1]  the ledger's root, `sg:{NAME}:`. Every key of the ledger starts with it, and its hash
--          tag keeps them on one slot of a cluster: one script, one atomic decision.
-- Rule: what a run learns or changes stands in `run`, which `begin` makes anew. A function of a
-- library outlives its run; a value left by a run that failed would decide the next one.
-- Calendar time is the server's TIME plus the offset that `sendgate clock` sets; nothing else in
-- these scripts reads a clock. Arithmetic mirrors policy/limits.py line by line.
local root, call, run
local DAY = 86400000
local PACE_SLACK = 0.5
local NOMINAL_QUOTA = 100000
local LONGEST_STRIDE = 10
local KEEP_DAYS = 8 * 86400      -- seconds a day's orders and mailboxes stay
-- Seconds an IP's day stays where nobody lets go of it: consolidation does, after a week, and control may
-- be away for long.
local KEEP_COUNTS = 40 * 86400
local FREE_LIFE = 86400          -- seconds a freed duplicate entry stays

local function begin(key, state)
  root, call, run = key, redis.call, state
  run.plan = {rows = {}, size = 0}
end

local function real_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function now_ms()
  return real_ms() + tonumber(call('GET', root .. 'offset') or '0')
end

-- A number handed to redis.call is written with all of its digits, `..` keeps fourteen: enough for
-- days and milliseconds, not for shares and paces.
local function day_key(day, ip)
  return root .. 'day:' .. day .. ':' .. ip
end

-- Seconds east of UTC now, and the moment at which that ends.
local function stretch(window, now)
  local offset = window.offsets[1][2]
  for _, step in ipairs(window.offsets) do
    if step[1] * 1000 > now then return offset, step[1] * 1000 end
    offset = step[2]
  end
  return offset, math.huge
end

local function open_time(window, now)
  if not window then return now end
  local offset = stretch(window, now)
  local shifted = now + 1000 * (offset - window.start)
  local day = math.floor(shifted / DAY)
  local length = window.length * 1000
  return day * length + math.min(shifted - day * DAY, length)
end

local function opens_at(window, now)
  if not window then return 0 end
  local at = now
  while true do
    local offset, ends = stretch(window, at)
    local shifted = at + 1000 * (offset - window.start)
    local inside = shifted - math.floor(shifted / DAY) * DAY
    if inside < window.length * 1000 then return at == now and 0 or at end
    local opens = at + DAY - inside
    if opens < ends then return opens end
    at = ends
  end
end

local function wall_time(window, opened, now)
  local target = math.ceil(opened)
  if not window then return math.max(target, now) end
  local length = window.length * 1000
  local day = math.floor(target / length)
  local here = day * DAY + (target - day * length) + window.start * 1000
  while true do
    local offset, ends = stretch(window, now)
    local reached = math.max(here - 1000 * offset, now)
    if reached < ends then
      local opens = opens_at(window, reached)
      return opens > 0 and opens or reached
    end
    now = ends
  end
end

local function day_length(window)
  if not window then return DAY end
  return window.length * 1000
end

-- The plan in force: rows of one generation, decoded at most once a run. A script that reads the
-- plan says first which one: `in_force(call('GET', root .. 'gen'))`.
local function in_force(number)
  run.generation = number or '0'
  run.plan_key = root .. 'plan:' .. run.generation
end

local function take_row(field, packed)
  local plan, found = run.plan, packed and cmsgpack.unpack(packed)
  plan.rows[field] = found
  plan.size = plan.size + 1 + (found and #found or 0)
  return found
end

-- Several rows with one command, but for those that are known.
local function read_rows(fields)
  local rows, missing = run.plan.rows, {}
  for i = 1, #fields do
    if rows[fields[i]] == nil then missing[#missing + 1] = fields[i] end
  end
  if #missing == 0 then return end
  local found = call('HMGET', run.plan_key, unpack(missing))
  for i = 1, #missing do take_row(missing[i], found[i]) end
end

local function row(field)
  local known = run.plan.rows[field]
  if known == nil then return take_row(field, call('HGET', run.plan_key, field)) end
  return known
end

-- A pool has one index for all providers, '', and one more for each provider that met a ceiling of
-- its own on one of the pool's IPs today: those stand in the set `apart`.
local function index_keys(pool, provider, day)
  local tail = run.generation .. ':' .. day .. ':' .. pool .. ':' .. provider
  return root .. 'free:' .. tail, root .. 'full:' .. tail
end

local function apart_key(pool, day)
  return root .. 'apart:' .. run.generation .. ':' .. day .. ':' .. pool
end

-- Worked out once a row, which may be kept.
local function stride_of(vmta)
  if not vmta.stride then
    local quota, stride = vmta.daily, LONGEST_STRIDE
    if quota < 0 then
      quota = NOMINAL_QUOTA
    else
      stride = math.min(math.max(math.floor(quota / 1000), 1), LONGEST_STRIDE)
      if quota < 1 then quota = 1 end
    end
    vmta.stride, vmta.worth = stride, quota * vmta.weight
  end
  return vmta.stride
end

local function share_used(vmta, used)
  return (used - used % stride_of(vmta)) / vmta.worth
end

-- IPs whose counters fell (a refund, a final record) may send again at once. `used`: today's count
-- by IP; an IP without a VirtualMTA in the plan is left alone.
local function wake(used, day)
  local ips, scores = {}, {}
  for ip, count in pairs(used) do
    local vmta = row('i:' .. ip)
    if vmta then
      scores[ip] = share_used(vmta, count)
      for _, pool in ipairs(vmta.pools) do
        ips[pool] = ips[pool] or {}
        table.insert(ips[pool], ip)
      end
    end
  end
  for pool, members in pairs(ips) do
    local providers = call('SMEMBERS', apart_key(pool, day))
    providers[#providers + 1] = ''
    for _, provider in ipairs(providers) do
      local free, full = index_keys(pool, provider, day)
      local waiting = call('ZMSCORE', full, unpack(members))
      local back, returned, others = {}, {}, {}
      for i, ip in ipairs(members) do
        local list = others
        if waiting[i] then
          list = returned
          back[#back + 1] = ip
        end
        list[#list + 1] = scores[ip]
        list[#list + 1] = ip
      end
      if #back > 0 then
        call('ZREM', full, unpack(back))
        call('ZADD', free, unpack(returned))
        call('EXPIRE', free, KEEP_DAYS)
      end
      if #others > 0 then call('ZADD', free, 'XX', unpack(others)) end
    end
  end
end
