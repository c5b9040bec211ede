-- Recipients of any minute and any hour, in one run of `decide.lua`; `policy/rolling.py` is the rule.
--
-- A scope (`g` the gateway, `t:TENANT`, `d:PROVIDER`, `p:POOL`, `i:IP`, `m:TENANT:MAILBOX`) has one
-- string, `rate:SCOPE`, with what is needed for nearly every decision: of each span its sum, its
-- oldest bucket and its newest. Those between stand in a hash, `rates:SPAN:SCOPE`, which is read when
-- the oldest is let go, and written when the newest is closed: at most once a slot.
-- All of them end by themselves when their span is over. What no limit asks for is neither read nor
-- written.
local rate = {}
rate.SPANS = {
  {name = 'minute', length = 60000, slot = 1000, life = 62, former = 120},
  {name = 'hour', length = 3600000, slot = 60000, life = 3661, former = 7200},
}
local SPANS = rate.SPANS
local RING = 64                  -- above the slots of a span: none is met before it is too old

-- {a minute, an hour}, -1: no limit; false where a row of the plan has neither. Worked out once a row.
function rate.limits(owner)
  local limits = owner.rates
  if limits == nil then
    local minute, hour = owner.minute or -1, owner.hour or -1
    limits = (minute >= 0 or hour >= 0) and {minute, hour}
    owner.rates = limits
  end
  return limits
end

-- Of two denials that both bind the one that ends last, 0: never; of equals the first.
function rate.later(one, two)
  if not one or not two then return one or two end
  if one.till == 0 then return one end
  return (two.till == 0 or two.till > one.till) and two or one
end

function rate.of_wire(found)
  return found and {
    sum = found[1], from = found[2], from_last = found[3], from_count = found[4],
    slot = found[5], last = found[6], count = found[7], closed = false,
  } or false
end

function rate.to_wire(span)
  return span and {
    span.sum, span.from, span.from_last, span.from_count, span.slot, span.last, span.count,
  } or false
end

function rate.closed_key(state, i)
  return root .. 'rates:' .. SPANS[i].name .. ':' .. state.scope
end

-- The buckets between the oldest and the newest, oldest first: {slot, last, count}.
function rate.closed(state, i)
  local span = state[i]
  if not span.closed then
    local fields, found = {}, {}
    for slot = span.from + 1, span.slot - 1 do fields[#fields + 1] = slot % RING .. '' end
    if #fields > 0 then
      for place, packed in ipairs(call('HMGET', rate.closed_key(state, i), unpack(fields))) do
        local bucket = packed and cmsgpack.unpack(packed)
        -- Another slot's, of an earlier turn of the ring: nothing was charged in this one.
        if bucket and bucket[1] == span.from + place then found[#found + 1] = bucket end
      end
    end
    span.closed = found
  end
  return span.closed
end

-- A span without what is too old, or nil. A clock that went back by more than a slot makes all that
-- is counted one bucket of now: nothing is counted for a shorter time than it was, and none for ever.
function rate.aged(state, i)
  local span, unit = state[i], SPANS[i]
  if not span then return nil end
  if span.last >= run.now + unit.slot then
    local slot = math.floor(run.now / unit.slot)
    span = {
      sum = span.sum, from = slot, from_last = run.now, from_count = span.sum,
      slot = slot, last = run.now, count = span.sum, closed = {},
    }
    state[i] = span
    -- Their slots come again, and would be taken for what was charged then.
    call('DEL', rate.closed_key(state, i))
    rate.changed(state)
    if string.sub(state.scope, 1, 2) == 'i:' then
      -- Its index knows a time that is too late now.
      run.woken[string.sub(state.scope, 3)], run.waking = true, true
    end
  end
  local gone = run.now - unit.length
  if span.last <= gone then
    state[i] = false
    return nil
  end
  while span.from_last <= gone do
    local bucket = table.remove(rate.closed(state, i), 1)
    if bucket then
      span.sum = span.sum - span.from_count
    else
      bucket = {span.slot, span.last, span.count}
      span.sum = span.count
    end
    span.from, span.from_last, span.from_count = bucket[1], bucket[2], bucket[3]
  end
  return span
end

function rate.changed(state)
  if not state.changed then
    state.changed = true
    run.changed_rates[#run.changed_rates + 1] = state
  end
end

-- Counts `number` at `at`, or when it last counted; returns the slot, by which it is given back.
function rate.add(state, i, number, at)
  local span, unit = rate.aged(state, i), SPANS[i]
  if span then at = math.max(at, span.last) end
  local slot = math.floor(at / unit.slot)
  if not span then
    state[i] = {
      sum = number, from = slot, from_last = at, from_count = number,
      slot = slot, last = at, count = number, closed = {},
    }
    return slot
  end
  if slot > span.slot then
    if span.slot > span.from then
      -- Before the string that counts it as closed: what is written twice is the same.
      local bucket, key = {span.slot, span.last, span.count}, rate.closed_key(state, i)
      call('HSET', key, span.slot % RING, cmsgpack.pack(bucket))
      call('EXPIRE', key, unit.life)
      if span.closed then span.closed[#span.closed + 1] = bucket end
    end
    span.slot, span.count = slot, 0
  end
  span.sum, span.count, span.last = span.sum + number, span.count + number, at
  if span.from == slot then span.from_count, span.from_last = span.count, at end
  return slot
end

-- When `total` more fit under `most`; 0: never.
function rate.free_at(state, i, total, most)
  if total > most then return 0 end
  local span, length = state[i], SPANS[i].length
  local need = span.sum + total - most - span.from_count
  if need <= 0 then return span.from_last + length end
  for _, bucket in ipairs(rate.closed(state, i)) do
    need = need - bucket[3]
    if need <= 0 then return bucket[2] + length end
  end
  return span.last + length
end

-- What is known of a scope; `false`: of a span without a count.
function rate.of(scope)
  local state = run.rates[scope]
  if not state then
    local packed = call('GET', root .. 'rate:' .. scope)
    local found = packed and cmsgpack.unpack(packed) or {}
    state = {
      rate.of_wire(found[1]), rate.of_wire(found[2]), seen = found[3] or false, known = packed, scope = scope,
      former = false, ready = false, changed = false, charged = false,
    }
    run.rates[scope] = state
  end
  return state
end

-- The same for one that is limited; `former`: its name in versions before.
function rate.ready(scope, limits, former)
  local state = rate.of(scope)
  if not state.ready then
    state.ready, state.former = true, former
    if not state.known then rate.unknown_past(state, limits) end
    if former and (not state.known or rate.mixed()) then rate.take_over(state, limits) else state.seen = false end
  end
  return state
end

-- Nil, or why `total` recipients must wait: of both spans the denial that ends last.
function rate.denial(kind, subject, scope, limits, total, former)
  local state, found = rate.ready(scope, limits, former), nil
  for i, unit in ipairs(SPANS) do
    local most = limits[i]
    if most >= 0 then
      local span = rate.aged(state, i)
      local used = span and span.sum or 0
      if used + total > most then
        local till = rate.free_at(state, i, total, most)
        local denial = {limit = kind .. unit.name, subject = subject, till = till, bound = most, used = used}
        found = rate.later(found, denial)
      end
    end
  end
  return found
end

-- How many more a scope may take.
function rate.room(scope, limits, former)
  local state, room = rate.ready(scope, limits, former), math.huge
  for i = 1, #SPANS do
    local most = limits[i]
    if most >= 0 then
      local span = rate.aged(state, i)
      room = math.min(room, most - (span and span.sum or 0))
    end
  end
  return room
end

-- Charges a scope; `charged` gets {scope, slot of the minute, of the hour}, 0: not counted.
function rate.charge(charged, scope, limits, total, former)
  local state, slots = rate.ready(scope, limits, former), {scope, 0, 0}
  for i = 1, #SPANS do
    if limits[i] >= 0 then
      slots[i + 1] = rate.add(state, i, total, run.now)
      if state.seen then state.seen[i][2] = state.seen[i][2] + total end
    end
  end
  state.charged = true
  rate.changed(state)
  charged[#charged + 1] = slots
end

-- Gives back what `rate.charge` charged, while it is counted.
function rate.give_back(state, i, slot, number)
  local span = rate.aged(state, i)
  if not span or slot < span.from or slot > span.slot then return end
  local by = 0
  if slot == span.slot then
    by = math.min(number, span.count)
    span.count = span.count - by
    if span.from == slot then span.from_count = span.count end
  elseif slot == span.from then
    by = math.min(number, span.from_count)
    span.from_count = span.from_count - by
  else
    for _, bucket in ipairs(rate.closed(state, i)) do
      if bucket[1] == slot then
        by = math.min(number, bucket[3])
        bucket[3] = bucket[3] - by
        call('HSET', rate.closed_key(state, i), slot % RING, cmsgpack.pack(bucket))
      end
    end
  end
  if by > 0 then
    span.sum = span.sum - by
    rate.changed(state)
  end
end

function rate.refund(charged, providers, total)
  for _, one in ipairs(charged) do
    local state, number = rate.of(one[1]), total
    if string.sub(one[1], 1, 2) == 'd:' then
      number = 0
      for _, pair in ipairs(providers) do
        if 'd:' .. pair[1] == one[1] then number = pair[2] end
      end
    end
    for i = 1, #SPANS do
      if one[i + 1] > 0 and number > 0 then rate.give_back(state, i, one[i + 1], number) end
    end
  end
end

function rate.write()
  for _, state in ipairs(run.changed_rates) do
    local packed = cmsgpack.pack({rate.to_wire(state[1]), rate.to_wire(state[2]), state.seen or false})
    local life = state[2] and SPANS[2].life or SPANS[1].life
    call('SET', root .. 'rate:' .. state.scope, packed, 'EX', life)
    for i, unit in ipairs(SPANS) do
      local seen = state.charged and state.seen and state.seen[i]
      if seen then call('SET', rate.former_key(state, i, seen[1]), seen[2], 'EX', unit.former) end
    end
  end
end
