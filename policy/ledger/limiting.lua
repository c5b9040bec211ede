-- The limits of one run of `decide.lua` that no IP has: rates, held mail, mailboxes.
local limit = {}
local DEEPEST = 8                -- overflow chains; the plan refuses cycles
local SHARED = '*'               -- the mailbox of all that are not counted one by one

-- Worked out once a row: the tenant's, the gateway's and the providers' are of one publication.
function limit.rated(tenant)
  local rated = tenant.rated
  if rated == nil then
    local whole = row('g')
    rated = (rate.limits(tenant) or rate.limits(whole) or whole.providers) and true or false
    tenant.rated = rated
  end
  return rated
end

-- Limits of providers over all tenants; false for one without. `shared`: of all of the plan.
function limit.provider_limits(shared, provider)
  local own = shared and shared[provider]
  return own and rate.limits(own)
end

-- All of them must have room: named is the one that has it last.
function limit.rate_denial(tenant, name, providers, total)
  if not limit.rated(tenant) then return nil end
  local whole, found = row('g'), nil
  local own, shared = rate.limits(tenant), rate.limits(whole)
  if own then found = rate.denial('tenant_', name, 't:' .. name, own, total, name) end
  if shared then found = rate.later(found, rate.denial('global_', '', 'g', shared, total, '')) end
  for i = 1, whole.providers and #providers or 0 do
    local provider, limits = providers[i][1], limit.provider_limits(whole.providers, providers[i][1])
    if limits then
      found = rate.later(found, rate.denial('provider_', provider, 'd:' .. provider, limits, providers[i][2]))
    end
  end
  return found
end

-- What was charged, to be given back by; nil for traffic without such limits, which pays nothing.
function limit.charge_rates(tenant, name, providers, total, pool_name, vmta, mailbox, box_limits)
  local pool, charged = rate.limits(row('p:' .. pool_name)), {}
  local ip = rate.limits(vmta)
  if not (pool or ip or box_limits or limit.rated(tenant)) then return nil end
  local whole = row('g')
  local own, shared = rate.limits(tenant), rate.limits(whole)
  if own then rate.charge(charged, 't:' .. name, own, total, name) end
  if shared then rate.charge(charged, 'g', shared, total, '') end
  for i = 1, whole.providers and #providers or 0 do
    local provider, limits = providers[i][1], limit.provider_limits(whole.providers, providers[i][1])
    if limits then rate.charge(charged, 'd:' .. provider, limits, providers[i][2]) end
  end
  if box_limits then rate.charge(charged, limit.box_scope(name, mailbox), box_limits, total) end
  if pool then rate.charge(charged, 'p:' .. pool_name, pool, total) end
  if ip then rate.charge(charged, 'i:' .. vmta.ip, ip, total) end
  return charged
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
  local limits = rate.limits(vmta)
  if limits then room = math.min(room, rate.room('i:' .. vmta.ip, limits)) end
  local step = choose.pace(vmta, values, window)
  if step > 0 then
    local opened = open_time(window, run.now)
    local tolerance = math.max(step, vmta.share * day_length(window))
    local free = opened + tolerance + PACE_SLACK - choose.pace_mark(vmta, opened, tolerance, window)
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
      local part = 0
      for _, member in ipairs(pool.paused and {} or choose.members(own)) do
        local vmta = row('v:' .. member)
        if not choose.has(away, vmta.server) and not choose.has(broken, vmta.name) then
          part = part + limit.room_of(vmta, provider, window)
        end
      end
      local limits = not pool.paused and rate.limits(pool)
      if limits then part = math.min(part, rate.room('p:' .. own, limits)) end
      sum = sum + math.max(part, 0)
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

-- What a tenant's limits, the gateway's and the provider's leave to it.
function limit.shared_room(tenant, name, provider)
  if not limit.rated(tenant) then return math.huge end
  local whole, room = row('g'), math.huge
  local own, shared = rate.limits(tenant), rate.limits(whole)
  local limits = limit.provider_limits(whole.providers, provider)
  if own then room = rate.room('t:' .. name, own, name) end
  if shared then room = math.min(room, rate.room('g', shared, '')) end
  if limits then room = math.min(room, rate.room('d:' .. provider, limits)) end
  return room
end

-- Held mail goes first where allowance is scarce; where it is not, both go.
function limit.behind_held(item, window, total, tenant)
  local pool, providers = item[3], item[5]
  for i = 1, #providers do
    local provider = providers[i][1]
    local marked = limit.mark_of(pool, provider)
    if marked > 0 and math.min(
      limit.room(pool, provider, window, item[6], item[7]),
      limit.shared_room(tenant, item[2], provider)
    ) - marked < total then
      return choose.denied('held_first', pool, 0, 0, marked)
    end
  end
end

-- The limits of its own that a mailbox has, or false. Those of all that the batch names are read with
-- one command.
function limit.own_limits(tenant, name, mailbox)
  local owned, named = run.owned[name], tenant.own or tenant.mailboxes
  if not named then return false end
  if not owned then
    local batch = run.wanted[name]
    local found = call('HMGET', root .. 'mailboxes:' .. name .. ':' .. named, unpack(batch))
    owned = {}
    for i = 1, #batch do owned[batch[i]] = found[i] and cmsgpack.unpack(found[i]) end
    run.owned[name] = owned
  end
  return owned[mailbox]
end

-- What holds for a mailbox without limits of its own; worked out once a row, which may be kept.
local function common(tenant)
  local found = tenant.common
  if not found then
    found = {tenant.mailbox_max, tenant.mailbox_gap, tenant.mailbox_span or 0, 0, -1}
    tenant.common = found
  end
  return found
end

local TENANTS = -2               -- in a mailbox's row: the tenant's holds

local function filled(tenant, own)
  local rest = common(tenant)
  if own[1] == TENANTS then own[1] = rest[1] end
  if own[2] == TENANTS then own[2], own[3] = rest[2], rest[3] end
  -- An older control's row ends behind the second.
  own[3], own[5] = own[3] or 0, own[5] or -1
  return own
end

-- Of a tenant whose mailboxes are not discovered: that one was not added.
function limit.unknown_denial(tenant, name, mailbox)
  if tenant.unknown ~= 'refuse' or mailbox == SHARED then return nil end
  if limit.own_limits(tenant, name, mailbox) then return nil end
  return choose.denied('mailbox_unknown', mailbox, 0, 0, 0)
end

-- The mailbox that counts, its limits (`fields.py` has their order) and its counters.
function limit.mailbox_limits(tenant, name, mailbox, boxes)
  local own = limit.own_limits(tenant, name, mailbox)
  if own then return mailbox, filled(tenant, own), count.mailbox(boxes, name, mailbox) end
  if tenant.unknown == 'shared' then mailbox = SHARED end
  local known = count.mailbox(boxes, name, mailbox)
  if not known and mailbox ~= SHARED and count.mailbox_number(boxes) >= tenant.bound then
    mailbox = SHARED
    known = count.mailbox(boxes, name, mailbox)
  end
  return mailbox, common(tenant), known
end

-- Most recipients of today (-1: any number) and the limit that says so.
function limit.most_of(tenant, limits, known)
  local most, ramp = limits[1], limits[6] or tenant.ramp
  if not ramp or #ramp == 0 then return most, 'mailbox_max' end
  local first = limits[5]
  if first < 0 then first = known and known[1] or run.today end
  local stage = math.floor(math.max(run.today - first, 0) / tenant.ramp_days) + 1
  local stepped = ramp[math.min(stage, #ramp)]
  if most < 0 or stepped < most then return stepped, 'mailbox_ramp' end
  return most, 'mailbox_max'
end

-- Milliseconds from the message at `last` to the next.
function limit.gap_of(limits, mailbox, last)
  local gap, span = limits[2], limits[3]
  if span <= 0 then return gap end
  local drawn = tonumber(string.sub(redis.sha1hex(mailbox .. ' ' .. last), 1, 6), 16)
  return gap + math.floor(drawn * (span + 1) / 16777216)
end

-- Nil, the mailbox that counts, its counters and when it sent last; or a denial.
function limit.mailbox_denial(tenant, name, asked, total)
  local boxes = count.boxes(name)
  local mailbox, limits, known = limit.mailbox_limits(tenant, name, asked, boxes)
  local most, bound = limit.most_of(tenant, limits, known)
  if most >= 0 then
    local sent = count.sent_of(known)
    if sent + total > most then
      return choose.denied(bound, mailbox, (run.today + 1) * DAY, most, sent)
    end
  end
  local last = count.last_of(boxes, mailbox, known)
  -- Drawn only where it decides.
  if last > 0 and last + limits[2] + limits[3] > run.now then
    local free = last + limit.gap_of(limits, mailbox, last)
    if free > run.now then return choose.denied('mailbox_spacing', mailbox, free, 0, 0) end
  end
  return nil, mailbox, boxes, last
end

-- A mailbox's minute and hour: its own, else what the tenant gives all; false without.
function limit.box_limits(tenant, name, mailbox)
  local default = tenant.box_rates
  if default == nil then
    local minute, hour = tenant.mailbox_minute or -1, tenant.mailbox_hour or -1
    default = (minute >= 0 or hour >= 0) and {minute, hour}
    tenant.box_rates = default
  end
  local own = limit.own_limits(tenant, name, mailbox)
  local rates = own and own[7]
  if not rates then return default end
  return {
    rates[1] >= 0 and rates[1] or default and default[1] or -1,
    rates[2] >= 0 and rates[2] or default and default[2] or -1,
  }
end

function limit.box_scope(name, mailbox)
  return 'm:' .. name .. ':' .. mailbox
end
