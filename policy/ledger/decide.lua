-- One batch of reservations, refunds and changes of entries, decided in one step.
--
-- KEYS[1]  root
-- ARGV[1]  batch id; the reply is kept for ARGV[4] seconds, so that a repeated batch changes nothing
-- ARGV[2]  incarnation the caller believes in
-- ARGV[3]  msgpack array of items: [1, tenant, pool, mailbox, [[provider, count]…], away, broken, dry,
--          key, owner, attempt, held], [2, charge] with charge as it was granted, [3, key, owner,
--          attempt, state, server], [4, pool, provider, count] or [5, key]
-- ARGV[4]  seconds to keep the reply (real time)
-- ARGV[5]  milliseconds (real time) after which a message still tried is in doubt
-- ARGV[6]  milliseconds (calendar) a sent entry counts
-- ARGV[7]  seconds (real time) an entry lives that nobody changes
-- returns  msgpack [state, sequence, generation, now, results]; state 'open' or 'closed';
--          a result is [1, charge…] granted, [0, limit, subject, until, bound, used] denied,
--          [3, [state, owner, attempt, server]] a duplicate, [2, false] for anything else
-- cost     O(1) a reservation in the common case: the index of a pool × provider keeps its IPs by
--          share used; full ones wait in a second set under the time they are free again. An index
--          is built once a generation and day. Worst case, all IPs fill up in one batch: O(IPs).
local DEEPEST = 8                -- overflow chains; the plan refuses cycles
local SIMPLE = 1
local SEVERAL = 15
local MARK_LIFE = 5              -- seconds; the releaser refreshes it

local kept = redis.call('GET', root .. 'batch:' .. ARGV[1])
if kept then return kept end

local now = now_ms()
local today = math.floor(now / DAY)
local incarnation = redis.call('HGET', root .. 'inc', 'id')
if incarnation ~= ARGV[2] then
  return cmsgpack.pack({'closed', 0, tonumber(generation), now, {}})
end

local function denied(limit, subject, till, bound, used)
  return {limit = limit, subject = subject, till = till, bound = bound, used = used}
end

local function sooner(one, two)
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

-- counters of one IP today, with those of the providers asked for
local function usage(ip, providers)
  local fields = {'n', 'o'}
  for _, pair in ipairs(providers) do
    fields[#fields + 1] = 'n:' .. pair[1]
    fields[#fields + 1] = 'o:' .. pair[1]
  end
  local found = redis.call('HMGET', day_key(today, ip), unpack(fields))
  for i = 1, #found do found[i] = tonumber(found[i] or '0') end
  for i = 2, #found, 2 do found[i] = math.max(found[i], 0) end
  return found
end

local function pace(vmta, opening, window)
  if vmta.daily < 0 or vmta.share >= 1 then return 0 end
  return day_length(window) / math.max(vmta.daily - opening, 1)
end

local function fits(vmta, counts, providers, total, window)
  local used = counts[1] + counts[2]
  if vmta.daily >= 0 and used + total > vmta.daily then
    return denied('ip_quota', vmta.name, (today + 1) * DAY, vmta.daily, used)
  end
  for i, pair in ipairs(providers) do
    local ceiling = vmta.ceilings[pair[1]]
    local seen = counts[2 * i + 1] + counts[2 * i + 2]
    if ceiling and seen + pair[2] > ceiling then
      return denied('ip_provider', vmta.name .. '/' .. pair[1], (today + 1) * DAY, ceiling, seen)
    end
  end
  local step = pace(vmta, counts[2], window)
  if step > 0 then
    local opened = open_time(window, now)
    local tat = tonumber(redis.call('HGET', root .. 'pace', vmta.ip) or '0')
    local tolerance = math.max(step, vmta.share * day_length(window))
    local start = math.max(tat, opened)
    local need = math.min(total * step, tolerance)
    if start + need > opened + tolerance + PACE_SLACK then
      return denied('ip_pace', vmta.name, wall_time(window, start + need - tolerance), vmta.daily, used)
    end
  end
  return nil
end

local function build(pool, provider, free, full)
  for _, name in ipairs(pool.members) do
    local vmta = row('v:' .. name)
    local counts = redis.call('HMGET', day_key(today, vmta.ip), 'n', 'o')
    local used = tonumber(counts[1] or '0') + math.max(tonumber(counts[2] or '0'), 0)
    redis.call('ZADD', free, exact(share_used(vmta, used)), vmta.ip)
  end
  -- The mark keeps an index whose IPs are all full from being built again.
  redis.call('ZADD', full, '+inf', '')
  redis.call('EXPIRE', free, KEEP_DAYS)
  redis.call('EXPIRE', full, KEEP_DAYS)
end

local function has(list, name)
  for _, entry in ipairs(list) do
    if entry == name then return true end
  end
  return false
end

-- The VirtualMTA of one pool that takes the recipients, or nil and the denial that ends first.
local function pick(name, pool, providers, total, window, away, broken)
  if pool.paused then return nil, denied('pool_paused', name, 0, 0, 0) end
  local free, full = index_keys(name, providers[1][1], today)
  if redis.call('EXISTS', full) == 0 then build(pool, providers[1][1], free, full) end
  local due = redis.call('ZRANGE', full, '-inf', now, 'BYSCORE')
  for _, ip in ipairs(due) do
    redis.call('ZREM', full, ip)
    redis.call('ZADD', free, '0', ip)      -- too low is mended below, too high would starve it
  end
  -- A set that lost its last member is a new key without its expiry.
  if #due > 0 then redis.call('EXPIRE', free, KEEP_DAYS) end
  local simple = #providers == 1 and total == SIMPLE
  local reason = denied('no_ip', name, 0, 0, 0)
  local skipped = 0
  for _ = 1, 2 * #pool.members + 2 do
    local head = redis.call('ZRANGE', free, skipped, skipped, 'WITHSCORES')
    if #head == 0 then break end
    local ip = head[1]
    local vmta = row('i:' .. ip)
    if has(away, vmta.server) or has(broken, vmta.name) then
      reason = sooner(reason, denied('server_away', name, 0, 0, 0))
      skipped = skipped + 1
    else
      local counts = usage(ip, providers)
      local score = share_used(vmta, counts[1] + counts[2])
      if score > tonumber(head[2]) then
        redis.call('ZADD', free, exact(score), ip)
      else
        local refusal = fits(vmta, counts, providers, total, window)
        if not refusal then return vmta, nil, counts, free end
        if simple then
          redis.call('ZREM', free, ip)
          redis.call('ZADD', full, exact(refusal.till), ip)
        else
          skipped = skipped + 1
        end
        reason = sooner(reason, refusal)
      end
    end
  end
  -- IPs that filled up in earlier calls: the first one free again tells why and until when. They
  -- are in the order of a single recipient; for several the first few are compared.
  for _, ip in ipairs(redis.call('ZRANGE', full, 0, simple and 0 or SEVERAL)) do
    if ip ~= '' then
      local vmta = row('i:' .. ip)
      local refusal = fits(vmta, usage(ip, providers), providers, total, window)
      if refusal then reason = sooner(reason, refusal) end
    end
  end
  return nil, reason
end

-- When a mailbox sent last, by days so that old ones expire; a spacing is a day at most.
local function last_key(day, name)
  return root .. 'last:' .. string.format('%d', day) .. ':' .. name
end

local function last_sent(name, mailbox)
  local found = redis.call('HGET', last_key(today, name), mailbox)
    or redis.call('HGET', last_key(today - 1, name), mailbox)
  return tonumber(found or '0')
end

local function mailbox_limits(tenant, name, mailbox)
  if tenant.mailboxes then
    local packed = redis.call('HGET', root .. 'mailboxes:' .. name .. ':' .. tenant.mailboxes, mailbox)
    if packed then
      local own = cmsgpack.unpack(packed)
      return mailbox, own[1], own[2]
    end
  end
  local key = root .. 'mb:' .. string.format('%d', today) .. ':' .. name
  if redis.call('HEXISTS', key, mailbox) == 0 and redis.call('HLEN', key) >= tenant.bound then
    mailbox = '*'
  end
  return mailbox, tenant.mailbox_max, tenant.mailbox_gap
end

local WINDOWS = {
  {'minute', 60000, 120},
  {'hour', 3600000, 7200},
}

local function window_key(kind, length, at, scope)
  return root .. kind .. ':' .. string.format('%d', math.floor(at / length)) .. ':' .. scope
end

-- '' is the whole gateway: a tenant's name is never empty.
local function rate_denial(tenant, name, total)
  for _, scope in ipairs({{tenant, name, 'tenant_'}, {row('g'), '', 'global_'}}) do
    for _, window in ipairs(WINDOWS) do
      local limit = scope[1][window[1]]
      if limit >= 0 then
        local used = tonumber(redis.call('GET', window_key(window[1], window[2], now, scope[2])) or '0')
        if used + total > limit then
          local till = (math.floor(now / window[2]) + 1) * window[2]
          return denied(scope[3] .. window[1], scope[2], till, limit, used)
        end
      end
    end
  end
end

-- Counted only where a limit is set, so that unlimited traffic pays nothing for it.
local function charge_rates(tenant, name, total)
  for _, scope in ipairs({{tenant, name}, {row('g'), ''}}) do
    for _, window in ipairs(WINDOWS) do
      if scope[1][window[1]] >= 0 then
        local key = window_key(window[1], window[2], now, scope[2])
        redis.call('INCRBY', key, total)
        redis.call('EXPIRE', key, window[3])
      end
    end
  end
end

-- What all IPs of a pool may still take for a provider now. O(IPs), but only while held mail is
-- marked, and once a script run: grants lower the figure that was worked out.
local rooms = {}

local function room_of(vmta, provider, window)
  local counts = usage(vmta.ip, {{provider, 1}})
  local room = math.huge
  if vmta.daily >= 0 then room = vmta.daily - counts[1] - counts[2] end
  local ceiling = vmta.ceilings[provider]
  if ceiling then room = math.min(room, ceiling - counts[3] - counts[4]) end
  local step = pace(vmta, counts[2], window)
  if step > 0 then
    local opened = open_time(window, now)
    local tat = tonumber(redis.call('HGET', root .. 'pace', vmta.ip) or '0')
    local tolerance = math.max(step, vmta.share * day_length(window))
    room = math.min(room, math.floor((opened + tolerance + PACE_SLACK - math.max(tat, opened)) / step))
  end
  return math.max(room, 0)
end

local function room(name, provider, window, away, broken)
  local slot = name .. ' ' .. provider
  if not rooms[slot] then
    local sum, pool = 0, row('p:' .. name)
    for _ = 1, DEEPEST do
      if not pool then break end
      for _, member in ipairs(pool.paused and {} or pool.members) do
        local vmta = row('v:' .. member)
        if not has(away, vmta.server) and not has(broken, vmta.name) then
          sum = sum + room_of(vmta, provider, window)
        end
      end
      pool = pool.overflow and row('p:' .. pool.overflow)
    end
    rooms[slot] = sum
  end
  return rooms[slot]
end

-- Held mail goes first where allowance is scarce; where it is not, both go.
local function behind_held(item, window, total)
  for _, pair in ipairs(item[5]) do
    local marked = tonumber(redis.call('GET', root .. 'mark:' .. item[3] .. ':' .. pair[1]) or '0')
    if marked > 0 and room(item[3], pair[1], window, item[6], item[7]) - marked < total then
      return denied('held_first', item[3], 0, 0, marked)
    end
  end
end

local function decide(item)
  local name, pool_name, mailbox, providers = item[2], item[3], item[4], item[5]
  local tenant, pool = row('t:' .. name), row('p:' .. pool_name)
  if not tenant or not pool or pool.tenant ~= name then
    return nil, denied('unknown_pool', pool_name, 0, 0, 0)
  end
  if tenant.paused then return nil, denied('tenant_paused', name, 0, 0, 0) end
  local total = 0
  for _, pair in ipairs(providers) do total = total + pair[2] end

  local window = tenant.window or nil
  local opens = opens_at(window, now)
  if opens > 0 then return nil, denied('window', name, opens, 0, 0) end

  local refusal = rate_denial(tenant, name, total)
  if refusal then return nil, refusal end
  if not item[12] then
    refusal = behind_held(item, window, total)
    if refusal then return nil, refusal end
  end

  local gap, mailbox_key, last = 0, nil, 0
  if mailbox ~= '' then
    local most
    mailbox, most, gap = mailbox_limits(tenant, name, mailbox)
    mailbox_key = root .. 'mb:' .. string.format('%d', today) .. ':' .. name
    if most >= 0 then
      local sent = tonumber(redis.call('HGET', mailbox_key, mailbox) or '0')
      if sent + total > most then
        return nil, denied('mailbox_max', mailbox, (today + 1) * DAY, most, sent)
      end
    end
    if gap > 0 then
      last = last_sent(name, mailbox)
      if last + gap > now then return nil, denied('mailbox_spacing', mailbox, last + gap, 0, 0) end
    end
  end

  local vmta, counts, free, why
  for _ = 1, DEEPEST do
    local reason
    vmta, reason, counts, free = pick(pool_name, pool, providers, total, window, item[6], item[7])
    if vmta then break end
    why = sooner(why, reason)
    pool_name = pool.overflow
    pool = pool_name and row('p:' .. pool_name)
    if not pool then break end
  end
  if not vmta then return nil, why end

  local step = pace(vmta, counts[2], window)
  local charge = {vmta.name, vmta.ip, vmta.server, name, mailbox, providers, now, step, incarnation, last}
  if item[8] then return charge end

  local key = day_key(today, vmta.ip)
  if redis.call('HINCRBY', key, 'n', total) == total then redis.call('EXPIRE', key, KEEP_DAYS) end
  for _, pair in ipairs(providers) do redis.call('HINCRBY', key, 'n:' .. pair[1], pair[2]) end
  if step > 0 then
    local tat = tonumber(redis.call('HGET', root .. 'pace', vmta.ip) or '0')
    redis.call('HSET', root .. 'pace', vmta.ip, exact(math.max(tat, open_time(window, now)) + total * step))
  end
  redis.call('ZADD', free, exact(share_used(vmta, counts[1] + counts[2] + total)), vmta.ip)
  if mailbox_key then
    if redis.call('HINCRBY', mailbox_key, mailbox, total) == total then
      redis.call('EXPIRE', mailbox_key, KEEP_DAYS)
    end
    if gap > 0 then
      local key = last_key(today, name)
      redis.call('HSET', key, mailbox, string.format('%d', now))
      redis.call('EXPIRE', key, 3 * 86400)
    end
  end
  charge_rates(tenant, name, total)
  for _, pair in ipairs(providers) do
    local slot = item[3] .. ' ' .. pair[1]
    if rooms[slot] then rooms[slot] = rooms[slot] - pair[2] end
  end
  return charge
end

-- An entry is one string: state, attempt, since, server, owner. `since` is real time for a message
-- that is being tried (its answer budget is real), calendar time for one that was sent.
local LIFE, SENT_LIFE, FREE_LIFE = tonumber(ARGV[7]), tonumber(ARGV[6]), 86400

local function entry_of(key)
  local found = redis.call('GET', root .. 'dup:' .. key)
  if not found then return nil end
  local state, attempt, since, server, owner = string.match(found, '^(%u) (%d+) (%d+) (%S+) (%S+)$')
  local entry = {
    state = state, attempt = tonumber(attempt), since = tonumber(since),
    server = server == '-' and '' or server, owner = owner,
  }
  if state == 'S' and now - entry.since > SENT_LIFE then return nil end
  return entry
end

local function put_entry(key, state, attempt, server, owner)
  local since, life = now, LIFE
  if state == 'T' then since = real_ms() end
  if state == 'S' then life = math.ceil(SENT_LIFE / 1000) elseif state == 'F' then life = FREE_LIFE end
  local value = string.format('%s %d %d %s %s', state, attempt, since, server == '' and '-' or server, owner)
  redis.call('SET', root .. 'dup:' .. key, value, 'EX', life)
end

-- As another message meets it: one that is tried for longer than an answer may take is in doubt.
local function met(entry)
  if entry.state == 'T' and real_ms() - entry.since > tonumber(ARGV[5]) then return 'D' end
  return entry.state
end

local function change(key, owner, attempt, state, server)
  local entry = entry_of(key)
  if entry then
    if entry.owner ~= owner then
      if entry.state ~= 'F' or state == 'F' then return end
    elseif attempt < entry.attempt or entry.state == 'S'
        or (entry.state == 'F' and attempt == entry.attempt) then
      return
    elseif server == '' then
      server = entry.server
    end
  end
  put_entry(key, state, attempt, server, owner)
end

local function reserve(item)
  local key, owner, attempt = item[9], item[10], item[11]
  if not key or key == '' or item[8] then return decide(item) end
  local entry = entry_of(key)
  if entry and entry.state ~= 'F' and entry.owner ~= owner then
    return nil, nil, {met(entry), entry.owner, entry.attempt, entry.server}
  end
  local charge, reason = decide(item)
  local state, server = 'T', charge and charge[3] or ''
  if entry and entry.owner == owner and entry.state ~= 'F' then
    state = entry.state
    -- Nothing was granted: the row still stands at the attempt before, and so will who ends it.
    if not charge and state ~= 'T' then return charge, reason end
  end
  put_entry(key, state, attempt, server, owner)
  return charge, reason
end

-- Never below zero: a counter that is too low would let an IP send too much.
local function lower(key, field, by)
  local held = tonumber(redis.call('HGET', key, field) or '0')
  if held > 0 then redis.call('HINCRBY', key, field, -math.min(by, held)) end
end

local function refund(charge)
  local ip, name, mailbox, providers, at, step = charge[2], charge[4], charge[5], charge[6], charge[7], charge[8]
  if charge[9] ~= incarnation then return end
  local total = 0
  for _, pair in ipairs(providers) do total = total + pair[2] end
  local day = math.floor(at / DAY)
  local key = day_key(day, ip)
  lower(key, 'n', total)
  for _, pair in ipairs(providers) do lower(key, 'n:' .. pair[1], pair[2]) end
  if step > 0 then
    local tat = tonumber(redis.call('HGET', root .. 'pace', ip) or '0')
    redis.call('HSET', root .. 'pace', ip, exact(math.max(tat - total * step, 0)))
  end
  local last = last_key(day, name)
  if mailbox ~= '' and tonumber(redis.call('HGET', last, mailbox) or '-1') == at then
    -- Nothing was sent: the spacing counts from the message before, or another IP could not try.
    if charge[10] > 0 then
      redis.call('HSET', last, mailbox, string.format('%d', charge[10]))
    else
      redis.call('HDEL', last, mailbox)
    end
  end
  if mailbox ~= '' then lower(root .. 'mb:' .. string.format('%d', day) .. ':' .. name, mailbox, total) end
  for _, scope in ipairs({name, ''}) do
    for _, window in ipairs(WINDOWS) do
      local counter = window_key(window[1], window[2], at, scope)
      local held = tonumber(redis.call('GET', counter) or '0')
      if held > 0 then redis.call('DECRBY', counter, math.min(total, held)) end
    end
  end
  wake(ip, now)
end

local results = {}
for i, item in ipairs(cmsgpack.unpack(ARGV[3])) do
  local kind = item[1]
  results[i] = {2, false}
  if kind == 1 then
    local charge, reason, duplicate = reserve(item)
    if charge then
      results[i] = {1, charge}
    elseif duplicate then
      results[i] = {3, duplicate}
    else
      results[i] = {0, {reason.limit, reason.subject, reason.till, reason.bound, reason.used}}
    end
  elseif kind == 2 then
    refund(item[2])
  elseif kind == 3 then
    change(item[2], item[3], item[4], item[5], item[6])
  elseif kind == 4 then
    local mark = root .. 'mark:' .. item[2] .. ':' .. item[3]
    if item[4] > 0 then redis.call('SET', mark, item[4], 'EX', MARK_LIFE) else redis.call('DEL', mark) end
  else
    local entry = entry_of(item[2])
    if entry then results[i] = {3, {met(entry), entry.owner, entry.attempt, entry.server}} end
  end
end

local sequence = redis.call('HINCRBY', root .. 'inc', 'seq', 1)
local reply = cmsgpack.pack({'open', sequence, tonumber(generation), now, results})
redis.call('SET', root .. 'batch:' .. ARGV[1], reply, 'EX', ARGV[4])
return reply
