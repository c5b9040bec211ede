-- The limits of one run of `decide.lua` that no IP has: rates, held mail, mailboxes.
local limit = {}
local DEEPEST = 8                -- overflow chains; the plan refuses cycles

-- Worked out once a row: the tenant's and the gateway's are of one publication.
function limit.rated(tenant)
  local rated = tenant.rated
  if rated == nil then
    local whole = row('g')
    rated = tenant.minute >= 0 or tenant.hour >= 0 or whole.minute >= 0 or whole.hour >= 0
    tenant.rated = rated
  end
  return rated
end

function limit.rate_denial(tenant, name, total)
  if not limit.rated(tenant) then return nil end
  local whole = row('g')
  for _, scope in ipairs({{tenant, name, 'tenant_'}, {whole, '', 'global_'}}) do
    for _, window in ipairs(count.WINDOWS) do
      local most = scope[1][window[1]]
      if most >= 0 then
        local used = count.rate(window, run.now, scope[2]).count
        if used + total > most then
          local till = (math.floor(run.now / window[2]) + 1) * window[2]
          return choose.denied(scope[3] .. window[1], scope[2], till, most, used)
        end
      end
    end
  end
end

-- Counted only where a limit is set, so that unlimited traffic pays nothing for it.
function limit.charge_rates(tenant, name, total)
  if not limit.rated(tenant) then return end
  local whole = row('g')
  for _, scope in ipairs({{tenant, name}, {whole, ''}}) do
    for _, window in ipairs(count.WINDOWS) do
      if scope[1][window[1]] >= 0 then
        local counter = count.rate(window, run.now, scope[2])
        count.put_rate(counter, counter.count + total, window[3])
      end
    end
  end
end

-- What all IPs of a pool may still take for a provider now. O(IPs), but only while held mail is
-- marked, and once a script run: grants lower the figure that was worked out.
function limit.room_of(vmta, provider, window)
  local values = count.usage(vmta.ip, {{provider, 1}})
  local room = math.huge
  if vmta.daily >= 0 then room = vmta.daily - count.used_of(values) end
  local ceiling = vmta.ceilings[provider]
  if ceiling then
    local opening = math.max(values['o:' .. provider] or 0, 0)
    room = math.min(room, ceiling - (values['n:' .. provider] or 0) - opening)
  end
  local step = choose.pace(vmta, values, window)
  if step > 0 then
    local opened = open_time(window, run.now)
    local tolerance = math.max(step, vmta.share * day_length(window))
    local free = opened + tolerance + PACE_SLACK - math.max(count.value(run.paces, vmta.ip), opened)
    room = math.min(room, math.floor(free / step))
  end
  return math.max(room, 0)
end

function limit.room(name, provider, window, away, broken)
  local slot = name .. ' ' .. provider
  if not run.rooms[slot] then
    local sum, pool, own = 0, row('p:' .. name), name
    for _ = 1, DEEPEST do
      if not pool then break end
      for _, member in ipairs(pool.paused and {} or choose.members(own)) do
        local vmta = row('v:' .. member)
        if not choose.has(away, vmta.server) and not choose.has(broken, vmta.name) then
          sum = sum + limit.room_of(vmta, provider, window)
        end
      end
      own = pool.overflow
      pool = own and row('p:' .. own)
    end
    run.rooms[slot] = sum
  end
  return run.rooms[slot]
end

-- How much held mail of a pool × provider could go now, by slot; the releaser says so every few
-- seconds, and its word ends by itself.
function limit.mark_of(pool, provider)
  local marks = run.marks[pool]
  if not marks[provider] then
    marks[provider] = tonumber(call('GET', root .. 'mark:' .. pool .. ':' .. provider) or '0')
  end
  return marks[provider]
end

-- Held mail goes first where allowance is scarce; where it is not, both go.
function limit.behind_held(item, window, total)
  local pool, providers = item[3], item[5]
  for i = 1, #providers do
    local provider = providers[i][1]
    local marked = limit.mark_of(pool, provider)
    if marked > 0 and limit.room(pool, provider, window, item[6], item[7]) - marked < total then
      return choose.denied('held_first', pool, 0, 0, marked)
    end
  end
end

-- When a mailbox sent last, by days so that old ones expire; a spacing is a day at most.
function limit.last_sent(day, name)
  return count.hash(root .. 'last:' .. day .. ':' .. name)
end

function limit.last_of(name, mailbox)
  local recent = limit.last_sent(run.today, name)
  count.value(recent, mailbox)
  -- 0: given back, so that it counts from the message before.
  return recent.values[mailbox] or count.value(limit.last_sent(run.today - 1, name), mailbox)
end

-- The limits of its own that a mailbox has, or false. Those of all that the batch names are read with
-- one command, before their counters are (`count.mailbox` forgets their names).
function limit.own_limits(tenant, name, mailbox)
  local owned = run.owned[name]
  if not owned then
    local batch = run.wanted[name]
    local found = call('HMGET', root .. 'mailboxes:' .. name .. ':' .. tenant.mailboxes, unpack(batch))
    owned = {}
    for i = 1, #batch do owned[batch[i]] = found[i] and cmsgpack.unpack(found[i]) end
    run.owned[name] = owned
  end
  return owned[mailbox]
end

-- The mailbox that counts, its most a day (-1: no limit) and its spacing in milliseconds.
function limit.mailbox_limits(tenant, name, mailbox, counters)
  local own = tenant.mailboxes and limit.own_limits(tenant, name, mailbox)
  if own then return mailbox, own[1], own[2] end
  if not count.mailbox(counters, name, mailbox) and count.mailbox_number(counters) >= tenant.bound then
    mailbox = '*'
  end
  return mailbox, tenant.mailbox_max, tenant.mailbox_gap
end

-- Nil and the mailbox that counts, its counters, its spacing and when it sent last; or a denial.
function limit.mailbox_denial(tenant, name, asked, total)
  local counters = count.boxes_today(name)
  local mailbox, most, gap = limit.mailbox_limits(tenant, name, asked, counters)
  if most >= 0 then
    local sent = count.mailbox(counters, name, mailbox) or 0
    if sent + total > most then
      return choose.denied('mailbox_max', mailbox, (run.today + 1) * DAY, most, sent)
    end
  end
  local last = 0
  if gap > 0 then
    last = limit.last_of(name, mailbox)
    if last + gap > run.now then return choose.denied('mailbox_spacing', mailbox, last + gap, 0, 0) end
  end
  return nil, mailbox, counters, gap, last
end
