-- Counters of one run of `decide.lua`: a field is read once, and written once at the end.
--
-- Every item of a batch sees what the items before it changed, because it asks here and not the
-- server. Rule: charges and refunds change nothing on the server before `count.write`, which runs
-- after the last item was decided: a script that fails has counted nothing, and granted nothing.
-- The functions of a piece are fields of one table: a Lua function holds 60 outer locals at most.
local count = {}

function count.hash(key)
  local found = run.hashes[key]
  if not found then
    found = {key = key, values = {}, fields = false, life = false, size = false}
    run.hashes[key] = found
  end
  return found
end

-- One that is absent becomes false; one that is known stays, for this run may have changed it.
function count.read(counters, fields)
  local found, values = call('HMGET', counters.key, unpack(fields)), counters.values
  for i = 1, #fields do
    local field = fields[i]
    if values[field] == nil then values[field] = found[i] and tonumber(found[i]) end
  end
end

function count.value(counters, field)
  local known = counters.values[field]
  if known == nil then
    local found = call('HGET', counters.key, field)
    known = found and tonumber(found)
    counters.values[field] = known
  end
  return known or 0
end

function count.put(counters, field, number)
  counters.values[field] = number
  local fields = counters.fields
  if not fields then
    fields = {}
    counters.fields = fields
    run.changed[#run.changed + 1] = counters
  end
  fields[field] = true
end

-- Never below zero: a counter that is too low would let an IP send too much.
function count.lower(counters, field, by)
  local held = count.value(counters, field)
  if held > 0 then count.put(counters, field, held - math.min(by, held)) end
end

-- A provider's two fields of an IP's day: n:PROVIDER and o:PROVIDER.
function count.fields_of(provider)
  local fields = run.named_fields[provider]
  if not fields then
    fields = {'n:' .. provider, 'o:' .. provider}
    run.named_fields[provider] = fields
  end
  return fields[1], fields[2]
end

-- What an IP has used today, with the providers asked for: fields n, o, n:PROVIDER, o:PROVIDER.
function count.usage(ip, providers)
  local counters = run.days[ip]
  if not counters then
    counters = count.hash(day_key(run.day, ip))
    run.days[ip] = counters
  end
  local values, missing = counters.values, nil
  if values.n == nil or values.o == nil then missing = {'n', 'o'} end
  for i = 1, #providers do
    local own, opening = count.fields_of(providers[i][1])
    if values[own] == nil or values[opening] == nil then
      missing = missing or {}
      missing[#missing + 1] = own
      missing[#missing + 1] = opening
    end
  end
  if missing then count.read(counters, missing) end
  return values
end

function count.used_of(values)
  local used, opening = values.n or 0, values.o
  return opening and opening > 0 and used + opening or used
end

function count.charge_ip(ip, providers, total)
  local counters = run.days[ip]
  if not counters.values.n then counters.life = KEEP_COUNTS end
  count.put(counters, 'n', (counters.values.n or 0) + total)
  for i = 1, #providers do
    local field = count.fields_of(providers[i][1])
    count.put(counters, field, (counters.values[field] or 0) + providers[i][2])
  end
end

-- A tenant's mailboxes: one hash for all days, for a mailbox that is counted, limited, spaced and
-- ramped is one value to read and one to write. A record: {first day since it was idle, day it sent on
-- last, recipients of that day, of the day before, when it sent last} (policy/mailbox.py).
-- Those the batch names are read with one command.
count.IDLE = 30                  -- days after which a mailbox is new again

function count.boxes(name)
  local found = run.boxes[name]
  if not found then
    found = {
      key = root .. 'boxes:' .. name, records = {}, read = false, changed = false, size = false, life = false,
    }
    run.boxes[name] = found
  end
  return found
end

-- As it counts today. A clock that was put back over midnight finds the day before; one that was put
-- back further makes all that is counted today's: it counts once more, and never as nothing.
local function record_of(packed)
  if not packed then return false end
  local known = cmsgpack.unpack(packed)
  if known[2] > run.today + 1 then
    known[1], known[2] = math.min(known[1], run.today), run.today
    known[3], known[4] = known[3] + known[4], 0
  elseif known[2] < run.today then
    if run.today - known[2] > count.IDLE then known[1] = run.today end
    known[4] = known[2] == run.today - 1 and known[3] or 0
    known[2], known[3], known.turned = run.today, 0, true
  end
  return known
end

-- False: it never sent, or long ago.
function count.mailbox(boxes, name, mailbox)
  local records = boxes.records
  if records[mailbox] == nil then
    local batch = run.wanted[name]
    if batch and not boxes.read then
      boxes.read = true
      local found = call('HMGET', boxes.key, unpack(batch))
      for i = 1, #batch do
        if records[batch[i]] == nil then records[batch[i]] = record_of(found[i]) end
      end
    end
    if records[mailbox] == nil then records[mailbox] = record_of(call('HGET', boxes.key, mailbox)) end
  end
  return records[mailbox]
end

-- How many mailboxes are counted, those of this run included.
function count.mailbox_number(boxes)
  if not boxes.size then boxes.size = call('HLEN', boxes.key) end
  return boxes.size
end

-- Where its recipients of today stand.
local function place_of(known)
  return known[2] == run.today and 3 or 4
end

function count.sent_of(known)
  return known and known[place_of(known)] or 0
end

-- When it sent last: not later than now, or a clock that was put back would space it for as long.
function count.last_of(boxes, mailbox, known)
  if not known then return 0 end
  if known[5] > run.now then
    known[5] = run.now
    count.put_mailbox(boxes, mailbox, known)
  end
  return known[5]
end

function count.put_mailbox(boxes, mailbox, known)
  local changed = boxes.changed
  if not changed then
    changed = {}
    boxes.changed = changed
    run.changed_boxes[#run.changed_boxes + 1] = boxes
  end
  boxes.records[mailbox], changed[mailbox] = known, true
end

function count.charge_mailbox(boxes, name, mailbox, total)
  local known = count.mailbox(boxes, name, mailbox)
  if not known then
    known = {run.today, run.today, 0, 0, 0, turned = true}
    boxes.size = count.mailbox_number(boxes) + 1
  end
  -- Once a day a mailbox: who sends nothing any more leaves no hash behind.
  if known.turned then boxes.life, known.turned = KEEP_COUNTS, nil end
  local place = place_of(known)
  known[place], known[5] = known[place] + total, run.now
  count.put_mailbox(boxes, mailbox, known)
end

-- `day`: of the charge. `last`: when the mailbox had sent before it.
function count.refund_mailbox(name, mailbox, day, total, at, last)
  local boxes = count.boxes(name)
  local known = count.mailbox(boxes, name, mailbox)
  if not known then return end
  local place = day == known[2] and 3 or day == known[2] - 1 and 4
  if place then known[place] = math.max(known[place] - total, 0) end
  -- Nothing was sent: the spacing counts from the message before, or another IP could not try.
  if known[5] == at then known[5] = last end
  count.put_mailbox(boxes, mailbox, known)
end

function count.write()
  for _, counters in ipairs(run.changed) do
    local written, values = {}, counters.values
    for field in pairs(counters.fields) do
      written[#written + 1] = field
      written[#written + 1] = values[field]
    end
    call('HSET', counters.key, unpack(written))
    if counters.life then call('EXPIRE', counters.key, counters.life) end
  end
  for _, boxes in ipairs(run.changed_boxes) do
    local written, records = {}, boxes.records
    for mailbox in pairs(boxes.changed) do
      local known = records[mailbox]
      written[#written + 1] = mailbox
      written[#written + 1] = cmsgpack.pack({known[1], known[2], known[3], known[4], known[5]})
    end
    call('HSET', boxes.key, unpack(written))
    if boxes.life then call('EXPIRE', boxes.key, boxes.life) end
  end
end
