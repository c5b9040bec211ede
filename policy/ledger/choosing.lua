-- Which IP of a pool takes a message, by an index; `policy/selection.py` is the rule.
--
-- `free:` orders IPs by share used, `full:` keeps those without room under the time they are free
-- again. A score can only be too low, so the first IP is recomputed before it is trusted. One index
-- serves all providers; a provider that meets a ceiling of its own gets another one (`apart:`), or
-- every message to it would walk over the IPs that are full for it.
-- A run reads the first IPs of an index once and keeps them in order; `store` writes what changed.
-- Until then the server's copy is too low at worst, which is mended when it is met.
local choose = {}
local NONE = {}
local SIMPLE = 1
local SEVERAL = 15
local AHEAD = 16                 -- IPs read at first, at most
local STRETCH = 128              -- and later
local MOST = 1000                -- IPs in one command
local NEVER = 1e15               -- milliseconds; behind every time

function choose.denied(limit, subject, till, bound, used)
  return {limit = limit, subject = subject, till = till, bound = bound, used = used}
end

function choose.sooner(one, two)
  if not one then return two end
  if one.till > 0 and two.till > 0 then
    if two.till < one.till then return two end
    return one
  end
  if one.till > 0 then return one end
  if two.till > 0 then return two end
  if one.limit == 'no_ip' then return two end
  return one
end

function choose.pace(vmta, values, window)
  if vmta.share >= 1 or vmta.daily < 0 then return 0 end
  return day_length(window) / math.max(vmta.daily - math.max(values.o or 0, 0), 1)
end

-- The open time an IP's bucket stands at. No charge puts it further than a day behind a bucket that
-- is empty: one that stands there is of hours that were other hours, or of a clock that was put back.
-- Empty is what it counts from now on, or the IP would wait for years.
function choose.pace_mark(vmta, opened, tolerance, window)
  local mark = count.value(run.paces, vmta.ip)
  if mark > opened + tolerance + day_length(window) then
    mark = opened + tolerance
    count.put(run.paces, vmta.ip, mark)
    -- Its index may know a time that is too late now.
    run.woken[vmta.ip], run.waking = true, true
  end
  return math.max(mark, opened)
end

-- The day's limits of an IP and its pace.
function choose.day_fits(vmta, values, providers, total, window)
  local used = count.used_of(values)
  if vmta.daily >= 0 and used + total > vmta.daily then
    return choose.denied('ip_quota', vmta.name, (run.today + 1) * DAY, vmta.daily, used)
  end
  for i = 1, #providers do
    local provider = providers[i][1]
    local ceiling = vmta.ceilings[provider]
    if ceiling then
      local own, opening = count.fields_of(provider)
      local seen = values[own] or 0
      if values[opening] and values[opening] > 0 then seen = seen + values[opening] end
      if seen + providers[i][2] > ceiling then
        local subject = vmta.name .. '/' .. provider
        return choose.denied('ip_provider', subject, (run.today + 1) * DAY, ceiling, seen)
      end
    end
  end
  local step = choose.pace(vmta, values, window)
  if step > 0 then
    local opened = open_time(window, run.now)
    local tolerance = math.max(step, vmta.share * day_length(window))
    local start = choose.pace_mark(vmta, opened, tolerance, window)
    local need = math.min(total * step, tolerance)
    if start + need > opened + tolerance + PACE_SLACK then
      local till = wall_time(window, start + need - tolerance, run.now)
      return choose.denied('ip_pace', vmta.name, till, vmta.daily, used)
    end
  end
  return nil
end

-- Nil, or what binds; with limits of a minute or an hour, what binds last.
function choose.fits(vmta, values, providers, total, window)
  local refusal = choose.day_fits(vmta, values, providers, total, window)
  local limits = rate.limits(vmta)
  if not limits then return refusal end
  return rate.later(refusal, rate.denial('ip_', vmta.name, 'i:' .. vmta.ip, limits, total))
end

-- When a full IP is looked at again. One that a limit of 0 keeps full stands behind all others, or it
-- would be named in place of those that send again tomorrow: an index is of one day and one
-- generation, so that neither a new day nor a limit that was raised finds it there.
function choose.till(refusal)
  return refusal.till > 0 and refusal.till or NEVER
end

-- Byte by byte, as the server orders members: Lua's `<` asks the locale.
function choose.below(one, two)
  for i = 1, #one do
    local left, right = string.byte(one, i), string.byte(two, i)
    if left ~= right then return right ~= nil and left < right end
  end
  return #one < #two
end

function choose.before(score, ip, other_score, other_ip)
  if score ~= other_score then return score < other_score end
  return choose.below(ip, other_ip)
end

function choose.send(key, command, arguments)
  for first = 1, #arguments, MOST do
    call(command, key, unpack(arguments, first, math.min(first + MOST - 1, #arguments)))
  end
end

-- VirtualMTAs of a pool. A plan that an older control published has them in the pool's own row, and
-- stands until the next one is published.
function choose.members(pool)
  return row('m:' .. pool) or row('p:' .. pool).members
end

-- Those that refuse a single recipient are full from the start.
function choose.build(index, pool, provider, window)
  local members, scores, filled = choose.members(pool), {}, {}
  for first = 1, #members, MOST do
    local fields = {}
    for i = first, math.min(first + MOST - 1, #members) do fields[#fields + 1] = 'v:' .. members[i] end
    read_rows(fields)
  end
  local one = provider ~= '' and {{provider, SIMPLE}} or NONE
  for _, name in ipairs(members) do
    local vmta = row('v:' .. name)
    run.plan.rows['i:' .. vmta.ip] = vmta
    local values = count.usage(vmta.ip, one)
    local refusal = choose.fits(vmta, values, one, SIMPLE, window)
    local list = refusal and filled or scores
    list[#list + 1] = refusal and choose.till(refusal) or share_used(vmta, count.used_of(values))
    list[#list + 1] = vmta.ip
  end
  choose.send(index.free, 'ZADD', scores)
  choose.send(index.full, 'ZADD', filled)
  -- The mark keeps an index whose IPs are all full from being built again.
  call('ZADD', index.full, '+inf', '')
  call('EXPIRE', index.free, KEEP_DAYS)
  call('EXPIRE', index.full, KEEP_DAYS)
end

-- The IPs of an index that are free again, back among the others.
function choose.free_due(index)
  local due, scores = call('ZRANGE', index.full, '-inf', run.now, 'BYSCORE'), {}
  for i, ip in ipairs(due) do
    scores[2 * i - 1] = 0        -- too low is mended when it is met, too high would starve it
    scores[2 * i] = ip
  end
  choose.send(index.full, 'ZREM', due)
  choose.send(index.free, 'ZADD', scores)
  -- A set that lost its last member is a new key without its expiry.
  call('EXPIRE', index.free, KEEP_DAYS)
end

function choose.index_of(pool, provider, window)
  local known = run.indexes_of[pool]
  if not known then
    known = {}
    run.indexes_of[pool] = known
  end
  local index = known[provider]
  if index then return index end
  local free, full = index_keys(pool, provider, run.day)
  index = {
    free = free, full = full, pool = row('p:' .. pool), list = false, whole = false, stretch = false,
    edge_score = false, edge_ip = false, scores = false, filled = false,
  }
  known[provider] = index
  run.indexes[#run.indexes + 1] = index
  local first = call('ZRANGE', full, 0, 0, 'WITHSCORES')
  if #first == 0 then
    choose.build(index, pool, provider, window)
  elseif tonumber(first[2]) <= run.now then
    choose.free_due(index)
  end
  return index
end

function choose.store(index)
  if index.scores then
    local scores = {}
    for ip, score in pairs(index.scores) do
      scores[#scores + 1] = score
      scores[#scores + 1] = ip
    end
    choose.send(index.free, 'ZADD', scores)
    index.scores = false
  end
  if index.filled then
    local ips = {}
    for i = 2, #index.filled, 2 do ips[i / 2] = index.filled[i] end
    choose.send(index.free, 'ZREM', ips)
    choose.send(index.full, 'ZADD', index.filled)
    index.filled = false
  end
end

-- The IP at `place` of an index (from 1), or nil: read ahead as far as the batch may need.
function choose.at_place(index, place, ahead)
  local list = index.list
  local entry = list and list[place]
  if entry then
    -- One that was not raised stands where it was read.
    local known = index.whole or not entry.raised
      or not choose.before(index.edge_score, index.edge_ip, entry.score, entry.ip)
    if known then return entry end
  end
  if list and index.whole then return nil end
  choose.store(index)
  -- Who reads again is passing full ones: a longer stretch each time.
  index.stretch = index.stretch and math.min(4 * index.stretch, STRETCH)
    or math.min(ahead, math.ceil(ahead / (index.pool.stride or 1)) + 1)
  local size = place - 1 + index.stretch
  local found = call('ZRANGE', index.free, 0, size - 1, 'WITHSCORES')
  list = {}
  local fields = {}
  for i = 1, #found, 2 do
    list[(i + 1) / 2] = {ip = found[i], score = tonumber(found[i + 1]), vmta = false, raised = false}
    fields[#fields + 1] = 'i:' .. found[i]
  end
  read_rows(fields)
  -- The shortest that was seen: who reads the pool next needs no more IPs than take turns.
  local shortest = index.pool.stride or LONGEST_STRIDE
  for i = 1, #list do
    list[i].vmta = row(fields[i])
    shortest = math.min(shortest, stride_of(list[i].vmta))
  end
  index.pool.stride = shortest
  index.list, index.whole = list, #list < size
  local last = list[#list]
  if last then index.edge_score, index.edge_ip = last.score, last.ip end
  return list[place]
end

function choose.raise_score(index, place, score)
  local list = index.list
  local entry = list[place]
  if entry.score == score then return end     -- within its stride
  entry.score, entry.raised = score, true
  index.scores = index.scores or {}
  index.scores[entry.ip] = score
  local to = #list
  while to > place and choose.before(score, entry.ip, list[to].score, list[to].ip) do to = to - 1 end
  if to > place then
    table.remove(list, place)
    table.insert(list, to, entry)
  end
end

function choose.fill(index, place, till)
  local entry = table.remove(index.list, place)
  if index.scores then index.scores[entry.ip] = nil end
  index.filled = index.filled or {}
  index.filled[#index.filled + 1] = till
  index.filled[#index.filled + 1] = entry.ip
end

function choose.is_apart(pool, provider)
  local known = run.apart[pool]
  if not known then
    known = {}
    for _, name in ipairs(call('SMEMBERS', apart_key(pool, run.day))) do known[name] = true end
    run.apart[pool] = known
  end
  return known[provider]
end

function choose.set_apart(pool, provider)
  local key = apart_key(pool, run.day)
  call('SADD', key, provider)
  call('EXPIRE', key, KEEP_DAYS)
  run.apart[pool][provider] = true
end

function choose.has(list, name)
  for i = 1, #list do
    if list[i] == name then return true end
  end
  return false
end

-- Looks through one index. A VirtualMTA, its counters, its index and place there; or nil and the
-- denial that ends first; or 'apart' when an IP refuses the provider alone and the index is shared.
function choose.look(index, shared, name, providers, total, window, away, broken, ahead)
  local simple = #providers == 1 and total == SIMPLE
  local whole = #away == 0 and #broken == 0
  local place, reason = 1, nil
  while true do
    local entry = choose.at_place(index, place, ahead)
    if not entry then break end
    local vmta = entry.vmta
    if not whole and (choose.has(away, vmta.server) or choose.has(broken, vmta.name)) then
      reason = choose.sooner(reason, choose.denied('server_away', name, 0, 0, 0))
      place = place + 1
    else
      -- The batch's other providers are read with this one's.
      if not run.days[entry.ip] and run.asked[name] then count.usage(entry.ip, run.asked[name]) end
      local values = count.usage(entry.ip, providers)
      local score = share_used(vmta, count.used_of(values))
      if score > entry.score then
        choose.raise_score(index, place, score)
      else
        local refusal = choose.fits(vmta, values, providers, total, window)
        if not refusal then return vmta, values, index, place end
        if not simple then
          place = place + 1
        elseif shared and refusal.limit == 'ip_provider' then
          return 'apart'
        else
          choose.fill(index, place, choose.till(refusal))
        end
        reason = choose.sooner(reason, refusal)
      end
    end
  end
  -- IPs that filled up earlier: the first one free again tells why and until when. They are in the
  -- order of a single recipient; for several the first few are compared.
  choose.store(index)
  local alone = simple and whole
  for _, ip in ipairs(call('ZRANGE', index.full, 0, alone and 0 or SEVERAL)) do
    local vmta = ip ~= '' and row('i:' .. ip)
    if vmta and (choose.has(away, vmta.server) or choose.has(broken, vmta.name)) then
      reason = choose.sooner(reason, choose.denied('server_away', name, 0, 0, 0))
    elseif vmta then
      local refusal = choose.fits(vmta, count.usage(ip, providers), providers, total, window)
      if refusal and simple and shared and refusal.limit == 'ip_provider' then return 'apart' end
      if refusal then reason = choose.sooner(reason, refusal) end
      if simple then break end
    end
  end
  return nil, reason or choose.denied('no_ip', name, 0, 0, 0)
end

function choose.pick(name, pool, providers, total, window, away, broken, ahead)
  if pool.paused then return nil, choose.denied('pool_paused', name, 0, 0, 0) end
  local limits = rate.limits(pool)
  local refusal = limits and rate.denial('pool_', name, 'p:' .. name, limits, total)
  if refusal then return nil, refusal end
  local provider = providers[1][1]
  if not choose.is_apart(name, provider) then
    local vmta, values, index, place =
      choose.look(choose.index_of(name, '', window), true, name, providers, total, window, away, broken, ahead)
    if vmta ~= 'apart' then return vmta, values, index, place end
    choose.set_apart(name, provider)
  end
  return choose.look(choose.index_of(name, provider, window), false, name, providers, total, window, away, broken, ahead)
end

function choose.wake_all()
  if not run.waking then return end
  run.waking = false
  for _, index in ipairs(run.indexes) do
    choose.store(index)
    index.list = false
  end
  local used = {}
  for ip in pairs(run.woken) do used[ip] = count.used_of(count.usage(ip, NONE)) end
  wake(used, run.today)
  run.woken = {}
end

function choose.write()
  choose.wake_all()
  for _, index in ipairs(run.indexes) do choose.store(index) end
end
