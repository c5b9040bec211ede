-- What a whole batch needs, asked for with few commands before its first item is decided.
local gather = {}

function gather.row(field)
  if not run.named[field] then
    run.named[field] = true
    run.fields[#run.fields + 1] = field
  end
end

-- One more key for the MGET; its value goes to `slot[name]`.
function gather.key(slot, name, key)
  local at = #run.keys + 1
  run.keys[at], run.slots[at], run.names[at] = root .. key, slot, name
end

function gather.reserve(item)
  local pool, mailbox, providers = item[3], item[4], item[5]
  local asked = run.asked[pool]
  if not asked then
    asked = {}
    run.asked[pool], run.marks[pool] = asked, {}
    gather.row('t:' .. item[2])
    gather.row('p:' .. pool)
  end
  if mailbox ~= '' then
    local batch = run.wanted[item[2]]
    if not batch then
      batch = {}
      run.wanted[item[2]] = batch
    end
    if not batch[mailbox] then
      batch[mailbox] = true
      batch[#batch + 1] = mailbox
    end
  end
  if not item[12] and #providers == 1 then
    local provider = providers[1][1]
    if not run.marks[pool][provider] then
      run.marks[pool][provider] = 0
      gather.key(run.marks[pool], provider, 'mark:' .. pool .. ':' .. provider)
      asked[#asked + 1] = providers[1]
    end
  end
  if run.ahead < AHEAD then run.ahead = run.ahead + 1 end
end

-- The reply this batch was given before, or nil: then the run knows the plan and the time.
function gather.standing(kept, items)
  run.keys = {kept, root .. 'gen', root .. 'offset', root .. 'published', root .. 'entries'}
  for i = 1, #items do
    local item = items[i]
    local kind, key = item[1], nil
    if kind == 1 then
      gather.reserve(item)
      key = item[9]
    elseif kind == 3 or kind == 5 then
      key = item[2]
    end
    if key and key ~= '' then gather.key(run.stored, key, 'dup:' .. key) end
  end
  local found = call('MGET', unpack(run.keys))
  if found[1] then return found[1] end
  keep.in_force(found[2], found[4])
  run.packs = found[5] == 'packed'
  run.real = real_ms()
  run.now = run.real + tonumber(found[3] or '0')
  run.today = math.floor(run.now / DAY)
  run.day = run.today .. ''
  for i = 6, #run.keys do
    local slot, name = run.slots[i], run.names[i]
    if slot == run.stored then
      slot[name] = found[i]
    else
      slot[name] = tonumber(found[i] or '0')
    end
  end
end

-- Rows of the whole batch; not read for one of copies.
function gather.rows()
  if run.fields then
    read_rows(run.fields)
    run.fields = false
  end
end
