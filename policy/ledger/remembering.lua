-- Duplicate entries in one run of `decide.lua`: read once, written at the end.
--
-- An entry stands in a bucket (`buckets.lua`), or as one string: state, attempt, since, server, owner.
-- Strings are those of messages that wait, what no bucket takes, and all of them while `entries` does
-- not say `packed`: a gateway of the version before knows strings alone. Read are both.
-- `since` is real time for a message that is being tried (its answer budget is real) or was freed,
-- calendar time for another.
local remember = {}

-- All that is known of a key; `state` nil: there is no entry. `text`, `packed`: where it stands.
function remember.known(key)
  local entry = run.entries[key]
  if entry then return entry end
  entry = {
    state = nil, attempt = 0, since = 0, server = '', owner = '',
    text = false, packed = false, name = false, field = false, changed = false,
  }
  run.entries[key] = entry
  local name, field = bucket.place(key)
  if name then
    entry.name, entry.field = name, field
    local found = call('HMGET', name, '', field)
    -- This run may have moved it.
    run.ends[name] = run.ends[name] or tonumber(found[1] or '0')
    if found[2] then
      entry.packed = true
      entry.state, entry.attempt, entry.since, entry.server, entry.owner = bucket.unpack(found[2])
    end
  end
  local text = run.stored[key]
  if text then
    local state, attempt, since, server, owner = string.match(text, '^(%u) (%d+) (%d+) (%S+) (%S+)$')
    entry.text, entry.state, entry.owner = true, state, owner
    entry.attempt, entry.since = tonumber(attempt), tonumber(since)
    entry.server = server == '-' and '' or server
  end
  if entry.state == 'S' and run.now - entry.since > run.sent_life then entry.state = nil end
  return entry
end

function remember.entry(key)
  local entry = remember.known(key)
  return entry.state and entry or nil
end

function remember.put(key, state, attempt, server, owner)
  local entry = remember.known(key)
  if not entry.changed then
    entry.changed = true
    run.changed_entries[#run.changed_entries + 1] = key
  end
  entry.state, entry.attempt, entry.server, entry.owner = state, attempt, server, owner
  entry.since = (state == 'T' or state == 'F') and run.real or run.now
end

-- As another message meets it: one that is tried for longer than an answer may take is in doubt.
function remember.met(entry)
  local state = entry.state
  if state == 'T' and run.real - entry.since > run.trying then state = 'D' end
  return {state, entry.owner, entry.attempt, entry.server}
end

function remember.change(key, owner, attempt, state, server)
  local entry = remember.entry(key)
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
  remember.put(key, state, attempt, server, owner)
end

-- In one place alone.
function remember.write()
  for _, key in ipairs(run.changed_entries) do
    local entry = run.entries[key]
    local value = run.packs and entry.name and bucket.pack(entry)
    if value then
      bucket.put(entry.name, entry.field, value)
      if entry.text then call('DEL', root .. 'dup:' .. key) end
    else
      local life = run.life
      if entry.state == 'S' then
        life = math.ceil(run.sent_life / 1000)
      elseif entry.state == 'F' then
        life = FREE_LIFE
      end
      call('SET', root .. 'dup:' .. key, bucket.text(entry), 'EX', life)
      if entry.packed then call('HDEL', entry.name, entry.field) end
    end
  end
end
